export { GrpcServicesError, GrpcServicesErrorCode } from "./errors/error.ts";
export { logGrpcLibrary } from "./server/grpc-library-log.ts";
export type { ConnectionCount, ConnectionLimit } from "./server/connection/grpc-port.ts";
export { GrpcServer } from "./server/grpc-server.ts";
export type { ChangeableGrpcLimits, GrpcFiles, GrpcServerOptions } from "./server/grpc-server.ts";
export type { GrpcTlsOptions } from "./server/connection/grpc-tls.ts";
export { CALL_TIME_BOUNDS_MS } from "./server/call/call-times.ts";
export type { CallTimesReport } from "./server/call/call-times.ts";
export type { CallObserver, ObservedCall } from "./server/call/observed-calls.ts";
export type { PoolerActivity } from "./manager/pooler-activity.ts";
export type {
  PendingSetting,
  PoolerOperations,
  ReloadOutcome,
  SettingChange,
} from "./manager/pooler-operations.ts";
export { checkManagerTokens } from "./server/manager-access.ts";
export type { ManagerAccessOptions } from "./server/manager-access.ts";
export type { ReceivingCount } from "./server/call/receiving-bytes.ts";
export type { Logger } from "./logger.ts";
export type { PoolerManager } from "./server/pooler-manager.ts";
