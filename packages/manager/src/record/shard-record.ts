import { TopoErrorCode, isTopoError, unlessAbsent } from "@multipooler/topo";
import type { ShardName, ShardState, TopoStore, Version, Versioned } from "@multipooler/topo";

export interface ShardRecordOptions {
  readonly topology: Pick<TopoStore, "global">;
  readonly shard: ShardName;
}

/** The record that the poolers of a shard agree on. Every write compares versions. */
export class ShardRecord {
  readonly #primaries: TopoStore["global"]["primaries"];
  readonly #shard: ShardName;

  constructor({ topology, shard }: ShardRecordOptions) {
    this.#primaries = topology.global.primaries;
    this.#shard = shard;
  }

  watch(signal: AbortSignal): ReturnType<TopoStore["global"]["primaries"]["watch"]> {
    return this.#primaries.watch({ id: this.#shard, signal });
  }

  /** `undefined` where nobody has ever claimed the shard. */
  async read(signal: AbortSignal | undefined): Promise<Versioned<ShardState> | undefined> {
    return await unlessAbsent(() => this.#primaries.get(this.#shard, { signal }));
  }

  /** Writes it over a version, or where there is none; `undefined` if another pooler was faster. */
  async write(
    record: ShardState,
    version: Version | undefined,
    signal: AbortSignal | undefined,
  ): Promise<Versioned<ShardState> | undefined> {
    try {
      const written =
        version === undefined
          ? await this.#primaries.create(this.#shard, record, { signal })
          : await this.#primaries.replace(this.#shard, record, { version, signal });
      return { record, version: written };
    } catch (error) {
      if (isConflict(error)) {
        return undefined;
      }
      throw error;
    }
  }
}

function isConflict(error: unknown): boolean {
  const { NodeExists, NoNode, BadVersion } = TopoErrorCode;
  return isTopoError(error, NodeExists, NoNode, BadVersion);
}
