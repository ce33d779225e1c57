export type { PoolerController } from "./controller.ts";
export type {
  ConnectionBudget,
  ConnectionSlot,
  DatabaseAddress,
  DatabaseHandle,
} from "./database.ts";
export type { Diagnostic } from "./diagnostic.ts";
export { PoolerErrorCode } from "./error.ts";
export type { PoolerError } from "./error.ts";
export { QueryMode } from "./query-service.ts";
export type {
  CallOptions,
  QueryService,
  QueryTarget,
  StreamExecuteRequest,
} from "./query-service.ts";
export { ControllerService } from "./registrar.ts";
export type { ServiceRegistrar } from "./registrar.ts";
export { MAX_ROW_BLOCK_BYTES } from "./result.ts";
export type { Field, ResultEvent, ResultSink } from "./result.ts";
export { PoolerRole, ServingStatus } from "./serving.ts";
export type { RoutingTerm, ServingState, ServingTarget } from "./serving.ts";
