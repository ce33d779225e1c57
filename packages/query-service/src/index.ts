export type { CopyEvent, CopyInput, CopyRequest, CopySink, CopySource } from "./copy.ts";
export type { Diagnostic } from "./diagnostic.ts";
export { PoolerErrorCode } from "./error.ts";
export type { PoolerError } from "./error.ts";
export type { LoginCredentials, LoginRequest } from "./login.ts";
export { decodeCommandTag, encodeCommandTag } from "./messages/command-complete.ts";
export { decodeCopyFormats, encodeCopyData, encodeCopyFormats } from "./messages/copy-response.ts";
export type { CopyFormats } from "./messages/copy-response.ts";
export { encodeRow } from "./messages/data-row.ts";
export { decodeDiagnostic, encodeDiagnostic } from "./messages/diagnostic-message.ts";
export { encodePoolerError } from "./messages/error-response.ts";
export type { ErrorSeverity } from "./messages/error-response.ts";
export { MalformedMessageError, MessageBody } from "./messages/message-body.ts";
export { decodeNotification, encodeNotification } from "./messages/notification-response.ts";
export type { Notification } from "./messages/notification-response.ts";
export { decodeParameterTypes, encodeParameterTypes } from "./messages/parameter-description.ts";
export { decodeParameterStatus, encodeParameterStatus } from "./messages/parameter-status.ts";
export type { ParameterStatus } from "./messages/parameter-status.ts";
export { decodeFields, encodeFields } from "./messages/row-description.ts";
export type { ChannelChange, NotificationSink, Subscription } from "./notification.ts";
export type { QueryService } from "./query-service.ts";
export { QueryMode } from "./request.ts";
export type {
  Binding,
  Caller,
  CallOptions,
  ConcludeRequest,
  DescribeRequest,
  ExecuteRequest,
  Place,
  PreparedText,
  QueryTarget,
  ReleaseRequest,
  ReservationRequest,
  ReservationWish,
  ReservedPlace,
  ReservePlace,
  ScramKeys,
  Settings,
  Statement,
  StatementDescription,
} from "./request.ts";
export { ReservationReason } from "./reservation.ts";
export type { Outcome, Reservation } from "./reservation.ts";
export { MAX_ROW_BLOCK_BYTES } from "./result.ts";
export type { Field, ResultEvent, ResultSink } from "./result.ts";
export { ownsMemory, returnMemory } from "./return-memory.ts";
export type { PinReason, Session, SessionCaller, SessionClient, SessionState } from "./session.ts";
