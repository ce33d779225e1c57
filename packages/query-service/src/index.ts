export type { Diagnostic } from "./diagnostic.ts";
export { PoolerErrorCode } from "./error.ts";
export type { PoolerError } from "./error.ts";
export type { LoginCredentials, LoginRequest } from "./login.ts";
export { decodeCommandTag, encodeCommandTag } from "./messages/command-complete.ts";
export { encodeRow } from "./messages/data-row.ts";
export { decodeDiagnostic, encodeDiagnostic } from "./messages/diagnostic-message.ts";
export { encodePoolerError } from "./messages/error-response.ts";
export type { ErrorSeverity } from "./messages/error-response.ts";
export { MalformedMessageError, MessageBody } from "./messages/message-body.ts";
export { decodeParameterStatus, encodeParameterStatus } from "./messages/parameter-status.ts";
export type { ParameterStatus } from "./messages/parameter-status.ts";
export { decodeFields, encodeFields } from "./messages/row-description.ts";
export type { QueryService } from "./query-service.ts";
export { QueryMode } from "./request.ts";
export type {
  Caller,
  CallOptions,
  ExecuteRequest,
  Place,
  QueryTarget,
  ScramKeys,
  Settings,
  Statement,
} from "./request.ts";
export { ReservationReason } from "./reservation.ts";
export type { Outcome, Reservation } from "./reservation.ts";
export { MAX_ROW_BLOCK_BYTES } from "./result.ts";
export type { Field, ResultEvent, ResultSink } from "./result.ts";
export type { PinReason, Session, SessionCaller, SessionClient, SessionState } from "./session.ts";
