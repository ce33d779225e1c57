export type {
  AdminRow,
  ConnectionShare,
  ConnectionSlot,
  Credential,
  DatabaseAddress,
  DatabaseHandle,
  TlsSettings,
} from "./database-handle.ts";
export type { PoolerController } from "./pooler-controller.ts";
export { ControllerService } from "./registrar.ts";
export type { ServiceRegistrar } from "./registrar.ts";
export { PoolerRole, ServingStatus } from "./serving-status.ts";
export type { DrainTotals, RoutingTerm, ServingState, ServingTarget } from "./serving-status.ts";
