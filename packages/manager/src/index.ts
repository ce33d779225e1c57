export type { ClusterPosition } from "./database/cluster-position.ts";
export type {
  DatabaseContext,
  DatabaseFacts,
  DatabaseProvider,
  ManagedDatabase,
  ManagedDatabaseStatus,
} from "./database/managed-database.ts";
export { describeAddress, hostAndPort } from "./address-text.ts";
export { ActionLease, ActionLock } from "./actions/action-lock.ts";
export type { ActionHolder } from "./actions/action-lock.ts";
export { formatConnInfo } from "./replication/conn-info.ts";
export type { ConnInfo } from "./replication/conn-info.ts";
export type {
  Follower,
  FollowRequest,
  Lsn,
  MainProcess,
  PauseMode,
  PrimaryConnInfo,
  PrimaryStatus,
  ReplicationControl,
  ReplicationStats,
  ReplicationStatus,
  ServerPosition,
  StandbyUpdate,
  SynchronousCommit,
  SynchronousReplication,
} from "./replication/replication-control.ts";
export type { DemoteResult, RoleResult } from "./promotion/role-outcome.ts";
export type { RoleVerbs } from "./promotion/role-verbs.ts";
export type { DemoteRequest, PromoteRequest, RoleRequest } from "./promotion/role-request.ts";
export type { RoleStepPlan } from "./promotion/role-step.ts";
export type { ServerProcess } from "./promotion/server-process.ts";
export type { ReplicationVerbs, TermClaim } from "./replication/replication-verbs.ts";
export type { Logger } from "./logger.ts";
export { MultiPoolerManager } from "./manager.ts";
export { ManagerError, ManagerErrorCode } from "./manager-error.ts";
export type { ManagerErrorDetails } from "./manager-error.ts";
export type {
  CloseOptions,
  ManagerOptions,
  OpenOptions,
  PoolerDescription,
} from "./manager-options.ts";
export type {
  DatabaseStatus,
  HeartbeatStatus,
  ManagerState,
  ManagerStatus,
  ShardLeader,
  TopologyStatus,
} from "./manager-status.ts";
export type { DatabaseConfig, HostLookup } from "./postgres/database-config.ts";
export { NotReadyCode } from "./serving/not-ready.ts";
export type { NotReady } from "./serving/not-ready.ts";
export { postgresDatabase } from "./postgres/postgres-provider.ts";
export type { DatabasePlace, PostgresProvider } from "./postgres/postgres-provider.ts";
export { PoolerType } from "./record/pooler-type.ts";
export type { PoolerIdentity, ShardIdentity } from "./record/pooler-type.ts";
export type { IntentStatus, OperatorIntent } from "./serving/operator-intent.ts";
export { Component } from "./terms/consensus-term.ts";
export type { ComponentId, ConsensusTerm } from "./terms/consensus-term.ts";
export type {
  BeginTermRequest,
  BeginTermResult,
  ConsensusReport,
  ConsensusVerbs,
  LeadershipView,
  PrimaryReach,
} from "./terms/consensus-verbs.ts";
export type { WalAnswer } from "./terms/wal-answer.ts";
export type {
  TransitionEnd,
  TransitionOutcome,
  TransitionRecord,
} from "./serving/transition-history.ts";
export { ManagerService } from "./transport/service-transport.ts";
export type { PoolerService, ServiceTransport } from "./transport/service-transport.ts";
