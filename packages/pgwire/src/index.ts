export type { ServerAddress } from "./address.ts";
export { BackendConnection } from "./backend-connection.ts";
export type {
  CallOptions,
  CloseReason,
  ConnectionState,
  ConnectOptions,
  TransactionStatus,
} from "./backend-connection.ts";
export type { Diagnostic } from "./diagnostic.ts";
export { PgwireError, PgwireErrorCode } from "./error.ts";
export type { PgwireErrorOptions } from "./error.ts";
export { MAX_ROW_BLOCK_BYTES } from "./response.ts";
export type { ResponseEvent, ResponseSink } from "./response.ts";
export type { Field } from "./row-description.ts";
