import { onAbort } from "@multipooler/timing";
import type { CallOptions, ConnectOptions } from "../connection/connect-options.ts";
import { dial } from "../connection/dial.ts";
import { ServerSocket } from "../connection/server-socket.ts";
import { abortedError, PgwireError, PgwireErrorCode, pgwireError } from "../error.ts";
import { ByteInput } from "../messages/byte-input.ts";
import { StartupStream } from "./startup-stream.ts";
import { startSession } from "./startup.ts";
import type { Session } from "./startup.ts";

/** A session that is ready for queries, and the socket it lives on. */
export interface OpenSession {
  readonly socket: ServerSocket;
  readonly session: Session;
}

/** Opens a socket and starts a session on it; leaves no socket if that fails or is aborted. */
export async function openSession(
  options: ConnectOptions,
  { signal }: CallOptions,
): Promise<OpenSession> {
  const socket = new ServerSocket({
    socket: await dial(options.address, { signal }),
    input: new ByteInput(),
  });
  const stream = new StartupStream({ socket });
  const abort = Promise.withResolvers<never>();
  const stopListening = onAbort(signal, (aborted) => {
    abort.reject(abortedError("starting a session", aborted));
  });
  try {
    // A race: the credential may take long, and deriving a key from it cannot be interrupted.
    const session = await Promise.race([startSession(stream, options), abort.promise]);
    return { socket, session };
  } catch (error) {
    socket.destroy(
      new PgwireError(PgwireErrorCode.ConnectionLost, "start-up failed", { cause: error }),
    );
    await socket.closed;
    throw pgwireError(error);
  } finally {
    stopListening();
  }
}
