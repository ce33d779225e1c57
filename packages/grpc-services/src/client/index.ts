export type { ClientTls, RequestOptions } from "./client-channel.ts";
export type {
  ChangeTypeInput,
  DemoteInput,
  PromoteInput,
  PromotionClient,
  UndoDemoteInput,
} from "./promotion-client.ts";
export type {
  BeginTermInput,
  CanReachPrimaryInput,
  ConsensusClient,
  SetTermInput,
} from "./consensus-client.ts";
export { GrpcStatusError } from "../errors/grpc-status-error.ts";
export type { GrpcStatusErrorDetails, GrpcStatusName } from "../errors/grpc-status-error.ts";
export type {
  KillInput,
  ManagerClient,
  ManagerHealthStreamInput,
  ReloadConfigInput,
  SetServingStatusInput,
} from "./manager-client.ts";
export { connect } from "./pooler-client.ts";
export type {
  ConcludeTransactionInput,
  ConnectOptions,
  CopyBidiExecuteInput,
  DescribeInput,
  DiscardTempTablesInput,
  ExecuteQueryInput,
  GetAuthCredentialsInput,
  NotificationStreamInput,
  PoolerClient,
  PortalStreamExecuteInput,
  ReleaseReservedConnectionInput,
  StreamExecuteInput,
} from "./pooler-client.ts";
export type {
  ConfigureSynchronousReplicationInput,
  ReplicationClient,
  SetPrimaryConnInfoInput,
  StopReplicationInput,
  UpdateSynchronousStandbyListInput,
  WaitForLSNInput,
} from "./replication-client.ts";
export { RowDecoder } from "../query/row-decoder.ts";
export type { RowsEvent } from "../query/row-decoder.ts";
