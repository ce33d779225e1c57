import { Topology } from "@multipooler/topo";
import type { ShardState } from "@multipooler/topo";
import { MemoryTopology } from "@multipooler/topo/memory";
import { Component, NO_TERM } from "../src/terms/consensus-term.ts";
import type { ComponentId } from "../src/terms/consensus-term.ts";
import { ManagerError } from "../src/manager-error.ts";
import { RoleSite } from "./role-site.ts";
import { temporaryDir } from "./temporary-dir.ts";

const SHARD = { database: "postgres", tableGroup: "default", shard: "0-inf" };

export const POOLERS = ["a", "b", "c"] as const;
export type PoolerName = (typeof POOLERS)[number];

/** What coordinators, operators and kills do to the shard. */
export type Act =
  | {
      readonly type: "vote";
      readonly on: PoolerName;
      readonly ahead: number;
      readonly for: PoolerName;
    }
  | { readonly type: "recruit"; readonly on: PoolerName; readonly ahead: number }
  | {
      readonly type: "promote" | "demote" | "undo";
      readonly on: PoolerName;
      /** The step before which the pooler is killed. */
      readonly killedAt: string | undefined;
    }
  | { readonly type: "restart"; readonly on: PoolerName };

/** Where a kill ended an action. */
class Killed extends Error {}

/**
 * Three poolers of one shard, and everything that was ever claimed or served. In a term one pooler takes
 * writes and has the claim, and the terms of the claims rise.
 */
export class ModelledShard implements AsyncDisposable {
  readonly violations: string[] = [];
  readonly #servers = new MemoryTopology();
  readonly #parts = new AsyncDisposableStack();
  readonly #watching = new AbortController();
  readonly #directories = new Map<PoolerName, string>();
  readonly #sites = new Map<PoolerName, RoleSite>();
  readonly #served = new Map<bigint, PoolerName>();
  #claimed: ShardState["term"];

  static async open(): Promise<ModelledShard> {
    const shard = new ModelledShard();
    for (const name of POOLERS) {
      shard.#directories.set(name, shard.#parts.use(await temporaryDir()).path);
      await shard.#start(name, name !== "a");
      await shard.site(name).recruit(1n);
    }
    const topology = new Topology({
      backend: shard.#servers,
      serverAddresses: ["memory"],
      root: "/test/global",
    });
    shard.#parts.defer(() => topology.close());
    const followed = shard.#follow(topology);
    shard.#parts.defer(async () => {
      shard.#watching.abort();
      await followed;
    });
    return shard;
  }

  site(name: PoolerName): RoleSite {
    const site = this.#sites.get(name);
    if (site === undefined) {
      throw new Error(`no pooler ${name}`);
    }
    return site;
  }

  /** Does several things at once; each of them may be refused, or killed. */
  async perform(acts: readonly Act[]): Promise<void> {
    // A pooler that restarts is asked for nothing meanwhile.
    const restarted = new Set(acts.filter(({ type }) => type === "restart").map(({ on }) => on));
    const done = await Promise.allSettled([
      ...acts
        .filter(({ type, on }) => type !== "restart" && !restarted.has(on))
        .map((act) => this.#perform(act)),
      ...[...restarted].map((name) => this.#restart(name)),
    ]);
    for (const { status, reason } of done.filter((result) => result.status === "rejected")) {
      if (!(reason instanceof ManagerError || reason instanceof Killed)) {
        throw new Error(`an act is ${status}`, { cause: reason });
      }
    }
  }

  /** Makes a pooler the primary in a new term, whatever was left behind. */
  async takeOver(name: PoolerName): Promise<string> {
    const { fixture, roles } = this.site(name);
    const term = this.#highest() + 1n;
    await fixture.manager.consensus.setTerm({ ...NO_TERM, number: term });
    await roles.promote({ term });
    return this.site(name).state;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const site of this.#sites.values()) {
      await site[Symbol.asyncDispose]();
    }
    await this.#parts.disposeAsync();
  }

  async #perform(act: Act): Promise<void> {
    const { fixture } = this.site(act.on);
    const { consensus } = fixture.manager;
    const own = fixture.manager.status().term.number;
    switch (act.type) {
      case "vote":
        await consensus.beginTerm({ term: own + BigInt(act.ahead), candidate: idOf(act.for) });
        break;
      case "recruit":
        await consensus.setTerm({ ...NO_TERM, number: own + BigInt(act.ahead) });
        break;
      case "promote":
      case "demote":
      case "undo":
        await this.#change(act.type, act, own);
        break;
      case "restart":
        await this.#restart(act.on);
        break;
    }
  }

  async #change(
    verb: "promote" | "demote" | "undo",
    { on, killedAt }: { readonly on: PoolerName; readonly killedAt: string | undefined },
    term: bigint,
  ): Promise<void> {
    const { fixture, roles } = this.site(on);
    fixture.logger.onLine = (message) => {
      if (killedAt !== undefined && message.endsWith(`: ${killedAt}`)) {
        throw new Killed(message);
      }
    };
    try {
      await (verb === "undo" ? roles.undoDemote() : roles[verb]({ term }));
    } finally {
      fixture.logger.onLine = undefined;
    }
  }

  async #restart(name: PoolerName): Promise<void> {
    const { inRecovery } = this.site(name).replication;
    await this.site(name)[Symbol.asyncDispose]();
    await this.#start(name, inRecovery);
  }

  async #start(name: PoolerName, isStandby: boolean): Promise<void> {
    const site = await RoleSite.open(this.#directories.get(name) ?? "", {
      name,
      isStandby,
      servers: this.#servers,
    });
    this.#sites.set(name, site);
    site.fixture.manager.watchStatus(({ serving: { current } }) => {
      if (current.role === "PRIMARY" && current.status === "SERVING") {
        this.#observe(name, current.term?.coordinatorTerm ?? 0n);
      }
    });
    await site.fixture.until(({ state, database }) => state.name === "ready" && database.reachable);
  }

  #observe(name: PoolerName, term: bigint): void {
    const before = this.#served.get(term) ?? name;
    this.#served.set(term, before);
    if (term > 0n && before !== name) {
      this.violations.push(`${before} and ${name} have taken writes in term ${term}`);
    }
  }

  async #follow(topology: Topology): Promise<void> {
    const { signal } = this.#watching;
    try {
      for await (const event of topology.global.primaries.watch({ id: SHARD, signal })) {
        if (event.type === "put") {
          this.#observeClaim(event.record);
        }
      }
    } catch (error) {
      if (!signal.aborted) {
        throw error;
      }
    }
  }

  #observeClaim({ term }: ShardState): void {
    const before = this.#claimed;
    this.#claimed = term;
    const isSame = term?.number === before?.number && term?.leader.name === before?.leader.name;
    if (before !== undefined && !isSame && (term === undefined || term.number <= before.number)) {
      this.violations.push(
        `a claim in term ${term?.number} by ${term?.leader.name} after ${before.number} by ${before.leader.name}`,
      );
    }
  }

  #highest(): bigint {
    return POOLERS.map((name) => this.site(name).fixture.manager.status().term.number).reduce(
      (a, b) => (a > b ? a : b),
    );
  }
}

function idOf(name: PoolerName): ComponentId {
  return { component: Component.Multipooler, cell: "zone1", name };
}
