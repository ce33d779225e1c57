export { TopoError, TopoErrorCode, isTopoError } from "./error.ts";
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
  SessionOpener,
  Version,
} from "./key-value.ts";
export type { Lock, LockHolder, LockOptions, Locker } from "./lock.ts";
export type { Logger } from "./logger.ts";
export { PoolerPublisher } from "./pooler-publisher.ts";
export type { PoolerPublisherOptions, PublisherCloseOptions } from "./pooler-publisher.ts";
export type { Lifecycle, PoolerIdentity, PoolerState } from "./pooler-record.ts";
export type { KnownType, PublisherStatus, StatusListener } from "./publisher-status.ts";
export type {
  RecordEntry,
  RecordEvent,
  RecordList,
  RecordReader,
  RecordWriter,
  Records,
  VersionOptions,
  Versioned,
  WatchOptions,
} from "./records.ts";
export type { Session, SessionOptions } from "./session.ts";
export { Topology, ensureCell } from "./topology.ts";
export type { EnsuredCell, TopologyOptions } from "./topology.ts";
export type { CellStore, GlobalStore, TopoStore } from "./topo-store.ts";
// The words of the records, so that a program that writes them needs no other package.
export {
  ID_ComponentType,
  PoolerLifecycleStatus,
  PoolerServingStatus,
  PoolerType,
  RoutingRole,
} from "@multipooler/proto/clustermetadata";
export type { Multipooler } from "@multipooler/proto/clustermetadata";
