import type { Socket } from "node:net";
import { onAbort } from "@multipooler/timing";
import { TlsError, TlsErrorCode } from "./error.ts";
import { handshake } from "./handshake.ts";
import type { EncryptOptions } from "./handshake.ts";

export interface OpenEncryptedOptions extends EncryptOptions {
  /** Opens a socket to the server. Its rejections are passed on. */
  readonly dial: () => Promise<Socket>;
}

// https://www.postgresql.org/docs/17/protocol-message-formats.html#PROTOCOL-MESSAGE-FORMATS-SSLREQUEST
const SSL_REQUEST = Buffer.from([0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f]);
const [YES, NO, ERROR_RESPONSE] = Buffer.from("SNE");

/** How much of an unknown peer's first words an error quotes. */
const QUOTED_CHARACTERS = 60;

/**
 * Opens a connection to a PostgreSQL server on TCP, encrypted as the mode says. The caller owns the
 * socket, and has to listen to its errors from this turn of the event loop on.
 *
 * With "prefer" the connection is plain if the server offers no TLS, and a second, plain one is opened
 * if TLS fails, as libpq does: that mode protects from nobody who can change what is sent.
 *
 * Rejects with a `TlsError`, as `dial` does, or with the signal's reason, and leaves no socket then.
 */
export async function openEncrypted(options: OpenEncryptedOptions): Promise<Socket> {
  const { dial, tls } = options;
  const socket = await dial();
  if (tls.mode === "disable") {
    return socket;
  }
  try {
    return (await encrypt(socket, options)) ?? socket;
  } catch (error) {
    socket.on("error", () => undefined);
    socket.destroy();
    if (tls.mode === "prefer" && maySpeakPlain(error)) {
      return await dial();
    }
    throw error;
  }
}

/** `undefined` where the connection goes on without TLS. */
async function encrypt(socket: Socket, options: EncryptOptions): Promise<Socket | undefined> {
  const { tls } = options;
  if (tls.negotiation !== "direct" && !(await askForTls(socket, options))) {
    if (tls.mode === "prefer") {
      return undefined;
    }
    throw new TlsError(
      TlsErrorCode.Refused,
      `the server offers no TLS, and sslmode is "${tls.mode}"`,
    );
  }
  return await handshake(socket, options);
}

function maySpeakPlain(error: unknown): boolean {
  return error instanceof TlsError && error.code !== TlsErrorCode.ProtocolViolation;
}

/** Asks a server whether it speaks TLS. */
async function askForTls(socket: Socket, { signal }: EncryptOptions): Promise<boolean> {
  signal?.throwIfAborted();
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
  const onData = (chunk: Buffer): void => {
    // What follows belongs to TLS, or to the next reader.
    socket.pause();
    resolve(chunk);
  };
  const onError = (cause: Error): void =>
    reject(new TlsError(TlsErrorCode.HandshakeFailed, lost(cause.message), { cause }));
  const onClose = (): void =>
    reject(new TlsError(TlsErrorCode.HandshakeFailed, lost("the server closed it")));
  socket.on("data", onData);
  socket.once("error", onError);
  socket.once("close", onClose);
  const stopListening = onAbort(signal, ({ reason }) => reject(reason));
  try {
    socket.write(SSL_REQUEST);
    return judge(await promise);
  } finally {
    stopListening();
    socket.off("data", onData);
    socket.off("error", onError);
    socket.off("close", onClose);
  }
}

function judge(answer: Buffer): boolean {
  const [first] = answer;
  if (first === ERROR_RESPONSE) {
    // Its text is not passed on: anybody on the way could have written it.
    throw new TlsError(
      TlsErrorCode.Refused,
      "the server answered the request for TLS with an error",
    );
  }
  if (first !== YES && first !== NO) {
    throw strange(answer);
  }
  if (answer.length > 1) {
    // "SSH-2.0-…" begins like an agreement.
    throw first === NO || /^[\t\r\n\x20-\x7e]*$/.test(answer.toString("latin1"))
      ? strange(answer)
      : new TlsError(
          TlsErrorCode.ProtocolViolation,
          "the server sent unencrypted bytes after it had agreed to TLS: they may come from somebody in between",
        );
  }
  return first === YES;
}

function strange(answer: Buffer): TlsError {
  const quoted = answer.toString("latin1", 0, QUOTED_CHARACTERS).replaceAll(/[^\x20-\x7e]/g, ".");
  return new TlsError(
    TlsErrorCode.ProtocolViolation,
    `the peer does not speak PostgreSQL's protocol: its answer to a request for TLS begins with "${quoted}"`,
  );
}

function lost(why: string): string {
  return `the connection ended before the server had answered the request for TLS: ${why}`;
}
