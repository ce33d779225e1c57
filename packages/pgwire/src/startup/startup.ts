import { MessageBody } from "@multipooler/query-service";
import type { ConnectOptions } from "../connection/connect-options.ts";
import { ServerParameters } from "../connection/server-parameters.ts";
import { PgwireError, PgwireErrorCode, protocolViolation } from "../error.ts";
import { encodeStartup } from "../messages/message-writer.ts";
import { BackendMessage } from "../messages/protocol.ts";
import { parseTransactionStatus } from "../messages/transaction-status.ts";
import type { TransactionStatus } from "../messages/transaction-status.ts";
import { authenticate } from "./authentication.ts";
import type { ChannelBinding } from "./channel-binding.ts";
import { unexpectedInStartup } from "./startup-stream.ts";
import type { StartupStream } from "./startup-stream.ts";

/** The options that go into the start-up message and the login. */
export interface SessionRequest extends Pick<
  ConnectOptions,
  "user" | "database" | "credential" | "parameters"
> {
  readonly channelBinding: ChannelBinding;
}

/** Bytes of a secret key: 4 in protocol 3.0, 4 to 256 in 3.2. */
const MIN_KEY_BYTES = 4;
const MAX_KEY_BYTES = 256;

/** How many unknown options an error names. */
const NAMED_OPTIONS = 5;

/** Identifies a session in a CancelRequest. */
export interface SessionKey {
  readonly processId: number;
  readonly secretKey: Buffer;
}

/** A session at its first ReadyForQuery. */
export interface Session {
  readonly key: SessionKey;
  readonly parameters: ServerParameters;
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
  stream: StartupStream,
  request: SessionRequest,
): Promise<Session> {
  stream.socket.write(encodeSessionRequest(request));
  let message = await stream.receiveOpening();
  if (message.code === BackendMessage.NegotiateProtocolVersion) {
    acceptOlderMinor(message.body);
    message = await stream.receive();
  }
  await authenticate(stream, request, message);
  return await untilReady(stream);
}

async function untilReady(stream: StartupStream): Promise<Session> {
  const parameters = new ServerParameters();
  let key: SessionKey | undefined;
  for (;;) {
    const { code, bytes, body } = await stream.receive();
    switch (code) {
      case BackendMessage.ParameterStatus:
        parameters.record(bytes);
        break;
      case BackendMessage.BackendKeyData:
        key = parseBackendKeyData(body);
        break;
      case BackendMessage.ReadyForQuery: {
        if (key === undefined) {
          throw protocolViolation("the server is ready without having sent BackendKeyData");
        }
        const transactionStatus = parseTransactionStatus(bytes.at(-1), bytes.length);
        return { key, parameters, transactionStatus };
      }
      default:
        throw unexpectedInStartup(code);
    }
  }
}

function parseBackendKeyData(body: Buffer): SessionKey {
  const reader = new MessageBody({ body, message: "BackendKeyData" });
  const processId = reader.int32();
  // A copy: a view would keep the whole chunk it came in for as long as the session lives.
  const secretKey = Buffer.from(reader.rest());
  if (secretKey.length < MIN_KEY_BYTES || secretKey.length > MAX_KEY_BYTES) {
    throw protocolViolation(
      `BackendKeyData has a key of ${secretKey.length} bytes; ${MIN_KEY_BYTES} to ${MAX_KEY_BYTES} are allowed`,
    );
  }
  return { processId, secretKey };
}

/**
 * 3.0 is the lowest minor version, so an offer of a lower one changes nothing. Options of the
 * protocol that the caller put among the parameters and the server does not know, do.
 */
function acceptOlderMinor(body: Buffer): void {
  const reader = new MessageBody({ body, message: "NegotiateProtocolVersion" });
  reader.int32();
  const count = reader.int32();
  if (count < 0 || count > reader.remaining) {
    throw protocolViolation(
      `NegotiateProtocolVersion announces ${count} options that it does not hold`,
    );
  }
  const options = Array.from({ length: count }, () => reader.string());
  reader.end();
  if (options.length > 0) {
    const named = options.slice(0, NAMED_OPTIONS).join(", ").slice(0, 200);
    throw new PgwireError(
      PgwireErrorCode.Unsupported,
      `the server does not know ${options.length} protocol options: ${named}`,
    );
  }
}
