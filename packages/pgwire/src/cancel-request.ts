import { onAbort } from "@multipooler/timing";
import type { ServerAddress } from "./address.ts";
import { dial } from "./dial.ts";
import { abortedError, PgwireError, PgwireErrorCode } from "./error.ts";
import { encodeCancelRequest } from "./message-writer.ts";
import type { SessionKey } from "./startup.ts";

/**
 * Asks the server to interrupt what the session of `key` runs. Resolves when the server has closed
 * the socket, which it does after it has passed the request on.
 */
export async function cancelRequest(
  address: ServerAddress,
  key: SessionKey,
  { signal }: { readonly signal?: AbortSignal | undefined } = {},
): Promise<void> {
  const socket = await dial(address, { signal });
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  socket.once("close", () => resolve());
  socket.once("error", (cause) => {
    reject(
      new PgwireError(PgwireErrorCode.ConnectionLost, "the cancel request broke off", { cause }),
    );
  });
  const stopListening = onAbort(signal, (aborted) => {
    reject(abortedError("the cancel request", aborted));
    socket.destroy();
  });
  try {
    // The server answers nothing; what another peer says is read and dropped, so that its end is seen.
    socket.resume();
    socket.end(encodeCancelRequest(key.processId, key.secretKey));
    await promise;
  } finally {
    stopListening();
  }
}
