import { ID_ComponentType, PoolerType, unlessAbsent } from "@multipooler/topo";
import type { ID, ShardPrimary, TopoStore } from "@multipooler/topo";
import type { Clock } from "@multipooler/timing";
import type { PoolerIdentity } from "./pooler-type.ts";

/** How long a pooler has to look retired: a store that lost its data is filled again by then. */
const RETIRED_MS = 10_000;

export interface RivalOptions {
  readonly topology: TopoStore;
  /** Whether the claim is of this very server, before that was started again. */
  readonly isOwnServer: (primary: ShardPrimary) => boolean;
  readonly clock: Clock;
}

/** The pooler that has the claim of the shard instead of this one: whether it may be taken over. */
export class Rival {
  readonly #options: RivalOptions;
  /** Since when it looks retired, on the monotonic clock. */
  #retiredSince: number | undefined;

  constructor(options: RivalOptions) {
    this.#options = options;
  }

  /** The claim is another one. */
  forget(): void {
    this.#retiredSince = undefined;
  }

  /**
   * Whether it neither is nor can become the primary, or the claim was left behind. Rejects with the
   * error of a store that does not answer, as all here.
   */
  async isGone(primary: ShardPrimary, signal: AbortSignal): Promise<boolean> {
    if (await this.isLeftBehind(primary, signal)) {
      return true;
    }
    const { topology, clock } = this.#options;
    const now = clock.monotonic();
    this.#retiredSince = (await isRetired(topology, primary.pooler, signal))
      ? (this.#retiredSince ?? now)
      : undefined;
    return this.#retiredSince !== undefined && now - this.#retiredSince >= RETIRED_MS;
  }

  /** Whether it is the claim of this very server, which was started again, by a pooler that has ended. */
  async isLeftBehind(primary: ShardPrimary, signal: AbortSignal): Promise<boolean> {
    const { topology, isOwnServer } = this.#options;
    return isOwnServer(primary) && !(await hasOwner(topology, primary.pooler, signal));
  }
}

/**
 * Whether a pooler that once was the primary of its shard is none any more and cannot become it: its
 * record has another type, or is gone, and no process has its name.
 */
async function isRetired(
  topology: TopoStore,
  { cell, name }: PoolerIdentity,
  signal: AbortSignal,
): Promise<boolean> {
  const { poolers } = topology.cell(cell);
  const id = idOf({ cell, name });
  const type = await unlessAbsent(async () => (await poolers.get(id, { signal })).record.type);
  return type !== PoolerType.PRIMARY && !(await hasOwner(topology, { cell, name }, signal));
}

/** Whether a process has the name of a pooler. Rejects with the error of a store that does not answer. */
export async function hasOwner(
  topology: TopoStore,
  pooler: PoolerIdentity,
  signal: AbortSignal,
): Promise<boolean> {
  const { owners } = topology.cell(pooler.cell);
  return (await unlessAbsent(() => owners.get(idOf(pooler), { signal }))) !== undefined;
}

function idOf({ cell, name }: PoolerIdentity): ID {
  return { component: ID_ComponentType.MULTIPOOLER, cell, name };
}
