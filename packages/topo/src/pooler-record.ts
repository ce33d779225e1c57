import type {
  ID,
  PoolerLifecycleStatus,
  PoolerServingStatus,
  RoutingState,
  ShardKey,
} from "@multipooler/proto/clustermetadata";

/** What a pooler's record says of it for as long as its process runs. */
export interface PoolerIdentity {
  readonly id: ID;
  /** What the pooler serves. A record of the same id for another shard is never overwritten. */
  readonly shardKey: ShardKey;
  /** The name that others reach it by. */
  readonly hostname: string;
  /** Ports by service: `grpc`, `http`, `postgres`. */
  readonly portMap: Readonly<Record<string, number>>;
  readonly poolerDir: string;
  readonly pgDataDir: string;
}

/** What a pooler's record says of its state: what a publisher's caller may change. */
export interface PoolerState {
  readonly servingStatus: PoolerServingStatus;
  readonly lifecycle: { readonly status: PoolerLifecycleStatus; readonly reason: string };
  /** What it is routed to as; `undefined` where it is not to be routed to. */
  readonly routingState: RoutingState | undefined;
}
