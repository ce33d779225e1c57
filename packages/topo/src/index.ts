export { TopoError, TopoErrorCode, interruption, isTopoError, unlessAbsent } from "./error.ts";
export type { TopoErrorOptions } from "./error.ts";
export type {
  Abortable,
  Backend,
  CompareOptions,
  CreateOptions,
  KeyEvent,
  KeyReader,
  KeyValue,
  KeyValueStore,
  KeyWatcher,
  KeyWriter,
  PutOptions,
  SessionOpener,
  Version,
} from "./key-value.ts";
export type { Lock, LockHolder, LockOptions, Locker } from "./lock.ts";
export type { Logger } from "./logger.ts";
export type { OwnerProcess, PoolerOwner } from "./pooler-owner.ts";
export { encodePooler } from "./record-kinds.ts";
export type {
  RecordEntry,
  RecordEvent,
  RecordList,
  RecordReader,
  RecordWriter,
  Records,
  ReplaceOptions,
  VersionOptions,
  Versioned,
  WatchOptions,
} from "./records.ts";
export { lsnText, parseLsn } from "./shard-cluster.ts";
export type { ShardCluster, TimelineEnd } from "./shard-cluster.ts";
export type { ShardName, ShardPrimary, ShardState, ShardTerm } from "./shard-primary.ts";
export type { Session, SessionOptions } from "./session.ts";
export { Topology, ensureCell } from "./topology.ts";
export type { EnsuredCell, TopologyOptions } from "./topology.ts";
export type { CellStore, GlobalStore, TopoStore } from "./topo-store.ts";
// The words of the records, so that a program that writes them needs no other package.
export {
  ID_ComponentType,
  Multipooler,
  PoolerLifecycleStatus,
  PoolerServingStatus,
  PoolerType,
  RoutingRole,
} from "@multipooler/proto/clustermetadata";
export type {
  Cell,
  ID,
  PoolerLifecycle,
  RoutingState,
  ShardKey,
} from "@multipooler/proto/clustermetadata";
