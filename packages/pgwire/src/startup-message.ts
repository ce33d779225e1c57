import { parseDiagnostic } from "./diagnostic.ts";
import { PgwireError, PgwireErrorCode, postgresError, protocolViolation } from "./error.ts";
import type { FramedSocket } from "./framed-socket.ts";
import { frameCode } from "./message-reader.ts";
import { BackendMessage, messageTypeName } from "./protocol.ts";

/** A message of start-up other than a notice or an error. */
export interface StartupMessage {
  readonly code: number;
  readonly body: Buffer;
}

/** How much of a stranger's first words an error quotes. */
const QUOTED_CHARACTERS = 60;

/** The next message of start-up. Notices are passed over, an error of the server is thrown. */
export async function receiveStartupMessage(socket: FramedSocket): Promise<StartupMessage> {
  for (;;) {
    const frame = await socket.receive();
    if (frame.type !== "message") {
      throw unexpectedInStartup(frameCode(frame));
    }
    switch (frame.code) {
      case BackendMessage.NoticeResponse:
        break;
      case BackendMessage.ErrorResponse:
        throw postgresError(parseDiagnostic("error", frame.body).diagnostic, { sent: false });
      default:
        return frame;
    }
  }
}

/**
 * The first message of start-up. The peer may be anything that listens on a port, so an error tells
 * what it said when it does not speak the protocol.
 */
export async function receiveOpening(socket: FramedSocket): Promise<StartupMessage> {
  try {
    const message = await receiveStartupMessage(socket);
    if (
      message.code !== BackendMessage.Authentication &&
      message.code !== BackendMessage.NegotiateProtocolVersion
    ) {
      throw unexpectedInStartup(message.code);
    }
    return message;
  } catch (error) {
    if (error instanceof PgwireError && error.code === PgwireErrorCode.ProtocolViolation) {
      throw strangeOpening(socket.unread.toString("latin1"), error);
    }
    throw error;
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
