import { onAbort } from "@multipooler/timing";
import { abortedError, PgwireError, PgwireErrorCode } from "../error.ts";
import { encodeCancelRequest } from "../messages/message-writer.ts";
import type { SessionKey } from "../startup/startup.ts";
import { dial } from "./dial.ts";
import type { DialOptions } from "./dial.ts";

/** Where a cancel request goes, and whether it still should. */
export interface CancelRequestOptions extends DialOptions {
  readonly key: SessionKey;
  readonly signal: AbortSignal;
  /** Asked once there is a socket. Returns false if the request is not to be written any more. */
  readonly mayWrite: () => boolean;
}

/**
 * Asks the server to interrupt what the session of `key` runs. Resolves when the server has closed
 * the socket, which it does after it has passed the request on, or when `mayWrite` said no.
 *
 * Rejects with CONNECT_FAILED, TLS_FAILED, CONNECTION_LOST or ABORTED.
 */
export async function cancelRequest(options: CancelRequestOptions): Promise<void> {
  const { key, signal, mayWrite } = options;
  const socket = await dial(options, { signal });
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
    if (mayWrite()) {
      // The server answers nothing; what another peer says is read and dropped, to see its end. This
      // side stays open: what stands between may close both at the end of one, before the server has it.
      socket.resume();
      socket.write(encodeCancelRequest(key.processId, key.secretKey));
    } else {
      socket.destroy();
    }
    await promise;
  } finally {
    stopListening();
  }
}
