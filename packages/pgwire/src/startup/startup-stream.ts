import { decodeDiagnostic } from "@multipooler/query-service";
import type { ServerSocket } from "../connection/server-socket.ts";
import {
  PgwireError,
  PgwireErrorCode,
  pgwireError,
  postgresError,
  protocolViolation,
} from "../error.ts";
import { MessageReader } from "../messages/message-reader.ts";
import { BackendMessage, HEADER_BYTES, messageTypeName } from "../messages/protocol.ts";

/** A message of start-up other than a notice or an error. */
export interface StartupMessage {
  readonly code: number;
  /** The whole message, header included. */
  readonly bytes: Buffer;
  /** The message without its header. */
  readonly body: Buffer;
}

/** All that a server may send before the session is ready. PostgreSQL sends less than 1 KiB. */
const MAX_STARTUP_BYTES = 1_048_576;

/** How much of an unknown peer's first words an error quotes. */
const QUOTED_CHARACTERS = 60;

/** The messages of a server up to the first ReadyForQuery, pulled one at a time. */
export class StartupStream {
  readonly socket: ServerSocket;
  readonly #reader: MessageReader;
  #bytesLeft = MAX_STARTUP_BYTES;

  constructor({ socket }: { readonly socket: ServerSocket }) {
    this.socket = socket;
    this.#reader = new MessageReader({
      input: socket.input,
      maxMessageBytes: MAX_STARTUP_BYTES,
      maxStreamedBytes: MAX_STARTUP_BYTES,
    });
  }

  /**
   * The next message. Notices are passed over, an error of the server is thrown as POSTGRES. One
   * call at a time.
   */
  async receive(): Promise<StartupMessage> {
    for (;;) {
      const message = await this.#next();
      switch (message.code) {
        case BackendMessage.NoticeResponse:
          break;
        case BackendMessage.ErrorResponse:
          throw postgresError(decodeDiagnostic(message.bytes), { sent: false });
        default:
          return message;
      }
    }
  }

  /**
   * The first message. The peer may be anything that listens on a port, so the error quotes what it
   * said if that is not PostgreSQL's protocol.
   */
  async receiveOpening(): Promise<StartupMessage> {
    try {
      const message = await this.receive();
      if (
        message.code !== BackendMessage.Authentication &&
        message.code !== BackendMessage.NegotiateProtocolVersion
      ) {
        throw unexpectedInStartup(message.code);
      }
      return message;
    } catch (error) {
      const failure = pgwireError(error);
      if (failure.code === PgwireErrorCode.ProtocolViolation) {
        throw strangeOpening(this.socket.input.unread.toString("latin1"), failure);
      }
      throw failure;
    }
  }

  #next(): Promise<StartupMessage> {
    const { promise, resolve, reject } = Promise.withResolvers<StartupMessage>();
    const reader = this.#reader;
    this.socket.start({
      get atBoundary() {
        return reader.atBoundary;
      },
      readable: () => {
        const found = reader.next();
        if (found !== "none") {
          resolve(this.#take(found));
          this.socket.release();
        }
        return true;
      },
      drained: () => undefined,
      ended: reject,
    });
    return promise;
  }

  #take(found: "rows" | "copyData" | "message"): StartupMessage {
    if (found !== "message") {
      throw unexpectedInStartup(this.#reader.code);
    }
    const { code, bytes } = this.#reader;
    this.#bytesLeft -= bytes.length;
    if (this.#bytesLeft < 0) {
      throw protocolViolation(
        `the server sent more than ${MAX_STARTUP_BYTES} bytes before it was ready`,
      );
    }
    return { code, bytes, body: bytes.subarray(HEADER_BYTES) };
  }
}

export function unexpectedInStartup(code: number): PgwireError {
  return protocolViolation(`message ${messageTypeName(code)} does not belong in start-up`);
}

function strangeOpening(text: string, cause: PgwireError): PgwireError {
  // A postmaster that cannot start a process for the connection says so in the form of protocol 2:
  // the message follows the type byte at once.
  const oldError = /^E([\x20-\x7e]{5,})/.exec(text)?.[1];
  if (oldError !== undefined) {
    const message = `the server refused the connection: ${oldError}`;
    return new PgwireError(PgwireErrorCode.ConnectFailed, message, { cause });
  }
  const quoted = text.slice(0, QUOTED_CHARACTERS).replaceAll(/[^\x20-\x7e]/g, ".");
  const said = quoted === "" ? cause.message : `its answer begins with "${quoted}"`;
  return new PgwireError(
    PgwireErrorCode.ProtocolViolation,
    `the peer does not speak PostgreSQL's protocol: ${said}`,
    { cause },
  );
}
