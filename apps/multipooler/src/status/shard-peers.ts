import { hostAndPort } from "@multipooler/manager";
import type { ManagerStatus } from "@multipooler/manager";
import {
  poolerLifecycleStatusToJSON,
  poolerServingStatusToJSON,
  poolerTypeToJSON,
} from "@multipooler/proto/clustermetadata";
import type { PeerRow } from "@multipooler/status-page";
import { PeriodicTask, untilAborted } from "@multipooler/timing";
import type { Clock } from "@multipooler/timing";
import type { Multipooler, TopoStore } from "@multipooler/topo";
import { listTopology } from "../ctl/topo-listing.ts";

const REFRESH_MS = 5000;

type Self = Pick<ManagerStatus, "pooler" | "shard">;

export interface ShardPeersOptions {
  readonly topology: TopoStore;
  /** Who asks. */
  readonly self: () => Self;
  readonly isWatched: () => boolean;
  readonly clock: Clock;
}

/** The poolers of the shard, read from the topology every few seconds while somebody looks. */
export class ShardPeers {
  readonly #options: ShardPeersOptions;
  readonly #task: PeriodicTask;
  #rows: readonly PeerRow[] | undefined;
  #error: string | undefined;

  constructor(options: ShardPeersOptions) {
    this.#options = options;
    this.#task = new PeriodicTask({
      clock: options.clock,
      run: async (signal) => {
        if (!options.isWatched()) {
          return undefined;
        }
        await this.#read(signal);
        return REFRESH_MS;
      },
    });
  }

  /** As they were last read; `undefined` until then. */
  get rows(): readonly PeerRow[] | undefined {
    return this.#rows;
  }

  /** Why they could not be read, or not all of them. */
  get error(): string | undefined {
    return this.#error;
  }

  open(): void {
    this.#task.open();
  }

  /** Somebody looks from now on. */
  wake(): void {
    this.#task.poke();
  }

  async close(): Promise<void> {
    await this.#task.close();
  }

  async #read(signal: AbortSignal): Promise<void> {
    const { topology } = this.#options;
    const self = this.#options.self();
    try {
      const { cells, errors } = await untilAborted(listTopology(topology, ["pooler"]), signal);
      this.#rows = cells
        .flatMap(({ poolers }) => poolers)
        .filter(({ record }) => isOf(self, record))
        .map(({ record }) => rowOf(record, self));
      this.#error = errors[0]?.message;
    } catch (error) {
      this.#error = error instanceof Error ? error.message : String(error);
    }
  }
}

function isOf({ shard }: Self, { shardKey }: Multipooler): boolean {
  return (
    shardKey?.database === shard.database &&
    shardKey.tableGroup === shard.tableGroup &&
    shardKey.shard === shard.shard
  );
}

function rowOf(record: Multipooler, { pooler }: Self): PeerRow {
  const { id, lifecycleStatus: lifecycle, hostname, portMap } = record;
  return {
    name: `${id?.cell ?? "?"}/${id?.name ?? "?"}`,
    isSelf: id?.cell === pooler.cell && id.name === pooler.name,
    type: poolerTypeToJSON(record.type),
    serving: poolerServingStatusToJSON(record.servingStatus),
    lifecycle:
      lifecycle === undefined
        ? "UNKNOWN"
        : poolerLifecycleStatusToJSON(lifecycle.status).replace(/^LIFECYCLE_/, ""),
    since: lifecycle?.updated?.toISOString(),
    address: hostAndPort(hostname, portMap["grpc"] ?? "?"),
  };
}
