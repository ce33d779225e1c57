export { FrontendFraming } from "./client/frontend-framing.ts";
export {
  assertPasswordMessage,
  AUTHENTICATION_OK,
  encodeBackendKeyData,
  encodeNegotiateProtocolVersion,
  encodeSaslContinue,
  encodeSaslFinal,
  encodeSaslMechanisms,
  parseSaslInitialResponse,
} from "./client/login-messages.ts";
export type { SaslInitialResponse } from "./client/login-messages.ts";
export { encodeReadyForQuery } from "./client/ready-for-query.ts";
export { ScramServer } from "./client/scram-server.ts";
export type { ScramProof, ScramServerOptions } from "./client/scram-server.ts";
export { mockScramVerifier, parseScramVerifier } from "./client/scram-verifier.ts";
export type { ScramVerifier } from "./client/scram-verifier.ts";
export {
  PACKET_LENGTH_BYTES,
  parseStartupPacket,
  startupPacketBytes,
  unexpectedEncryptionRequest,
} from "./client/startup-packet.ts";
export type { ClientProtocol, ClientStartup, StartupPacket } from "./client/startup-packet.ts";
export type { AnswerEvent, CopyEvent } from "./connection/answer-event.ts";
export { BackendConnection } from "./connection/backend-connection.ts";
export type {
  CallOptions,
  ConnectOptions,
  Credential,
  ServerAddress,
} from "./connection/connect-options.ts";
export { ANSWER_TIME_BOUNDS_MS, ROW_COUNT_BOUNDS } from "./connection/connection-activity.ts";
export type { ActivityFigures } from "./connection/connection-activity.ts";
export { ErrorCounts } from "./connection/error-counts.ts";
export type { CloseReason, ConnectionState } from "./connection/connection-state.ts";
export { compactChunk } from "./messages/compact-chunk.ts";
export { scheduleFlush, turnWorkMs } from "./connection/loop-turn.ts";
export type { Flushable } from "./connection/loop-turn.ts";
export type { Prelude, TransactionBegin } from "./connection/prelude.ts";
export type {
  AnswerEnd,
  CopyTaker,
  CopyWay,
  EventRequest,
  ExtendedStep,
  Request,
  RequestEnd,
  SpanRequest,
} from "./connection/request.ts";
export { PgwireError, PgwireErrorCode } from "./error.ts";
export type { PgwireErrorOptions } from "./error.ts";
export {
  NO_BINDING,
  bindBytes,
  encodeStatement,
  executeBytes,
  parseBytes,
  statementBytes,
  targetBytes,
  writeBind,
  writeClose,
  writeExecute,
  writeParse,
  writeStatement,
  writeSync,
} from "./messages/extended-writer.ts";
export { sizeInHeader } from "./messages/message-size.ts";
export { HEADER_BYTES } from "./messages/protocol.ts";
export type { TransactionStatus } from "./messages/transaction-status.ts";
export { CopyQuery } from "./requests/copy-query.ts";
export type { CopyConnection, CopyQueryOptions, CopyReceiver } from "./requests/copy-query.ts";
export { BegunUnit } from "./requests/begun-unit.ts";
export { ExtendedUnit } from "./requests/extended-unit.ts";
export type { ExtendedPreface, ExtendedStatement } from "./requests/extended-unit.ts";
export { RawUnit } from "./requests/raw-unit.ts";
export type { SpanReceiver } from "./requests/raw-unit.ts";
export { SimpleQuery } from "./requests/simple-query.ts";
export type { EventReceiver } from "./requests/simple-query.ts";
export { SCRAM_SHA_256, SCRAM_SHA_256_PLUS } from "./startup/scram-keys.ts";
export type { ScramMechanism } from "./startup/scram-keys.ts";
export { quoteIdentifier } from "./sql/quoted-identifier.ts";
export { SqlScanner } from "./sql/sql-scanner.ts";
export type { SqlDialect, SqlTokenKind } from "./sql/sql-scanner.ts";
export { toSqlText } from "./sql/sql-text.ts";
export type { SqlText } from "./sql/sql-text.ts";
