export { GrpcServicesError, GrpcServicesErrorCode } from "./error.ts";
export { logGrpcLibrary } from "./grpc-library-log.ts";
export { GrpcServer } from "./grpc-server.ts";
export type { GrpcServerOptions } from "./grpc-server.ts";
export type { Logger } from "./logger.ts";
export type { PoolerManager } from "./pooler-manager.ts";
