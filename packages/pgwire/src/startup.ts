import { authenticate } from "./authentication.ts";
import type { Credentials } from "./authentication.ts";
import { BodyReader } from "./body-reader.ts";
import { PgwireError, PgwireErrorCode, protocolViolation } from "./error.ts";
import type { FramedSocket } from "./framed-socket.ts";
import { encodeStartup } from "./message-writer.ts";
import { recordParameterStatus } from "./parameter-status.ts";
import { BackendMessage } from "./protocol.ts";
import { receiveOpening, receiveStartupMessage, unexpectedInStartup } from "./startup-message.ts";
import { parseTransactionStatus } from "./transaction-status.ts";
import type { TransactionStatus } from "./transaction-status.ts";

/** What a session is entered with. */
export interface SessionRequest extends Credentials {
  readonly database: string;
  readonly parameters?: Readonly<Record<string, string>> | undefined;
}

/** What names a session in a CancelRequest. */
export interface SessionKey {
  readonly processId: number;
  readonly secretKey: Buffer;
}

/** What the server told of a session by the time it was ready. */
export interface Session {
  readonly key: SessionKey;
  readonly parameters: Map<string, string>;
  readonly transactionStatus: TransactionStatus;
}

/** The start-up message; INVALID_ARGUMENT if something in it cannot be written. */
function encodeSessionRequest(request: SessionRequest): Buffer {
  const { user, database } = request;
  const parameters = Object.entries({ ...request.parameters, user, database });
  for (const [name, value] of parameters) {
    if (name === "" || name.includes("\0") || value.includes("\0")) {
      throw new PgwireError(
        PgwireErrorCode.InvalidArgument,
        `start-up parameter ${JSON.stringify(name)} is empty or holds a NUL character`,
      );
    }
  }
  return encodeStartup(parameters);
}

/** Starts a session on a fresh socket and returns when it is ready for queries. */
export async function startSession(
  socket: FramedSocket,
  request: SessionRequest,
): Promise<Session> {
  socket.write(encodeSessionRequest(request));
  let message = await receiveOpening(socket);
  if (message.code === BackendMessage.NegotiateProtocolVersion) {
    acceptOlderMinor(message.body);
    message = await receiveStartupMessage(socket);
  }
  await authenticate(socket, request, message);
  return await untilReady(socket);
}

async function untilReady(socket: FramedSocket): Promise<Session> {
  const parameters = new Map<string, string>();
  let key: SessionKey | undefined;
  for (;;) {
    const { code, body } = await receiveStartupMessage(socket);
    switch (code) {
      case BackendMessage.ParameterStatus:
        recordParameterStatus(parameters, body);
        break;
      case BackendMessage.BackendKeyData:
        key = parseBackendKeyData(body);
        break;
      case BackendMessage.ReadyForQuery:
        if (key === undefined) {
          throw protocolViolation("the server is ready without having sent BackendKeyData");
        }
        return { key, parameters, transactionStatus: parseTransactionStatus(body) };
      default:
        throw unexpectedInStartup(code);
    }
  }
}

function parseBackendKeyData(body: Buffer): SessionKey {
  const reader = new BodyReader({ body, message: "BackendKeyData" });
  const processId = reader.int32();
  // A copy: a view would keep the whole chunk it came in for as long as the session lives.
  return { processId, secretKey: Buffer.from(reader.rest()) };
}

/**
 * 3.0 is the lowest minor version, so an offer of a lower one changes nothing. Options of the
 * protocol that the caller put among the parameters and the server does not know, do.
 */
function acceptOlderMinor(body: Buffer): void {
  const reader = new BodyReader({ body, message: "NegotiateProtocolVersion" });
  reader.int32();
  const options: string[] = [];
  for (let count = reader.int32(); count > 0; count -= 1) {
    options.push(reader.string());
  }
  reader.end();
  if (options.length > 0) {
    throw new PgwireError(
      PgwireErrorCode.Unsupported,
      `the server does not know these protocol options: ${options.join(", ")}`,
    );
  }
}
