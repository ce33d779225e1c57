import { onAbort } from "@multipooler/timing";
import type { CallOptions, ConnectOptions } from "./connect-options.ts";
import { dial } from "./dial.ts";
import { abortedError, PgwireError, PgwireErrorCode } from "./error.ts";
import { FramedSocket } from "./framed-socket.ts";
import { startSession } from "./startup.ts";
import type { Session } from "./startup.ts";

const DEFAULT_MAX_MESSAGE_BYTES = 16 * 1024 * 1024;

/** A session that is ready for queries, and the socket it lives on. */
export interface OpenSession {
  readonly socket: FramedSocket;
  readonly session: Session;
}

/** Opens a socket and starts a session on it; leaves no socket if that fails or is aborted. */
export async function openSession(
  options: ConnectOptions,
  { signal }: CallOptions,
): Promise<OpenSession> {
  const socket = new FramedSocket({
    socket: await dial(options.address, { signal }),
    maxMessageBytes: options.maxMessageBytes ?? DEFAULT_MAX_MESSAGE_BYTES,
  });
  const abort = Promise.withResolvers<never>();
  const stopListening = onAbort(signal, (aborted) => {
    abort.reject(abortedError("starting a session", aborted));
  });
  try {
    // A race, because deriving a key from a password can take long and cannot be interrupted.
    const session = await Promise.race([startSession(socket, options), abort.promise]);
    return { socket, session };
  } catch (error) {
    socket.destroy(
      new PgwireError(PgwireErrorCode.ConnectionLost, "start-up failed", { cause: error }),
    );
    await socket.closed;
    throw error;
  } finally {
    stopListening();
  }
}
