import { TLSSocket } from "node:tls";
import { onAbort } from "@multipooler/timing";
import { serverCertificateHash, tlsFault } from "@multipooler/tls";
import type { CallOptions, ConnectOptions } from "../connection/connect-options.ts";
import { dial } from "../connection/dial.ts";
import { ServerSocket } from "../connection/server-socket.ts";
import { abortedError, PgwireError, PgwireErrorCode, pgwireError } from "../error.ts";
import { ByteInput } from "../messages/byte-input.ts";
import type { ChannelBinding } from "./channel-binding.ts";
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
  const tls = options.tls?.();
  const opened = await dial({ address: options.address, tls }, { signal });
  const channelBinding: ChannelBinding = {
    mode: tls?.channelBinding ?? "prefer",
    isEncrypted: opened instanceof TLSSocket,
    certificateHash: serverCertificateHash(opened),
  };
  const socket = new ServerSocket({ socket: opened, input: new ByteInput() });
  const stream = new StartupStream({ socket });
  const abort = Promise.withResolvers<never>();
  const stopListening = onAbort(signal, (aborted) => {
    abort.reject(abortedError("starting a session", aborted));
  });
  try {
    // A race: the credential may take long, and deriving a key from it cannot be interrupted.
    const session = await Promise.race([
      startSession(stream, { ...options, channelBinding }),
      abort.promise,
    ]);
    return { socket, session };
  } catch (error) {
    socket.destroy(
      new PgwireError(PgwireErrorCode.ConnectionLost, "start-up failed", { cause: error }),
    );
    await socket.closed;
    throw startupError(error);
  } finally {
    stopListening();
  }
}

/** In TLS 1.3 a server refuses the client's certificate only after the handshake, without a word of its own. */
function startupError(error: unknown): PgwireError {
  const failure = pgwireError(error);
  const fault = tlsFault(failure.cause);
  if (failure.code !== PgwireErrorCode.ConnectionLost || fault === undefined) {
    return failure;
  }
  return new PgwireError(
    PgwireErrorCode.TlsFailed,
    `the server ended TLS before the session had started: ${fault}`,
    { cause: failure.cause },
  );
}
