import assert from "node:assert/strict";
import { ManualClock } from "@multipooler/timing/testing";
import { ID_ComponentType, PoolerType, Topology, ensureCell } from "@multipooler/topo";
import { MemoryTopology } from "@multipooler/topo/memory";
import { expect, test } from "vitest";
import { RecordingLogger } from "../../test/recording-logger.ts";
import { newRecord } from "./pooler-record.ts";
import { START_STATE } from "./announcement.ts";
import type { ClaimRight } from "./claim-right.ts";
import { ShardClaim } from "./shard-claim.ts";

const SHARD = { database: "app", tableGroup: "default", shard: "0-inf" };
const CELL = "zone1";

/** A store, and poolers that may claim its one shard. */
class Scene implements AsyncDisposable {
  readonly clock: ManualClock = new ManualClock();
  readonly servers: MemoryTopology = new MemoryTopology();
  readonly #poolers: Pooler[] = [];

  async pooler(name: string, server: string): Promise<Pooler> {
    const pooler = new Pooler({ name, server, scene: this });
    this.#poolers.push(pooler);
    await ensureCell(pooler.topology, { name: CELL, serverAddresses: [], root: "/t/zone1" });
    pooler.claim.open();
    return pooler;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const pooler of this.#poolers) {
      await pooler.claim.close();
      await pooler.topology.close();
    }
    expect(this.clock.pending).toBe(0);
  }
}

/** A pooler as far as its claim knows it. */
class Pooler {
  readonly claim: ShardClaim;
  readonly topology: Topology;
  readonly logger: RecordingLogger = new RecordingLogger();
  server: string | undefined;
  isCandidate = true;
  isPrimary = false;
  /** 0: it has none. */
  term = 0n;
  readonly #name: string;
  #changed = Promise.withResolvers<void>();

  constructor({ name, server, scene }: { name: string; server: string; scene: Scene }) {
    this.#name = name;
    this.server = server;
    this.topology = new Topology({
      backend: scene.servers,
      serverAddresses: ["memory"],
      root: "/t/global",
    });
    this.claim = new ShardClaim({
      topology: this.topology,
      pooler: this.#description,
      facts: () => ({ inRecovery: false, serverVersion: "17.0", server: this.server }),
      remembered: undefined,
      remember: () => undefined,
      isCandidate: () => this.isCandidate,
      isPrimary: () => this.isPrimary,
      term: () => (this.term === 0n ? undefined : { number: this.term, superseded: undefined }),
      clock: scene.clock,
      random: () => 0.5,
      logger: this.logger,
      onChange: () => {
        this.#changed.resolve();
        this.#changed = Promise.withResolvers();
      },
    });
  }

  get refusal(): string | undefined {
    return this.claim.refusal()?.code;
  }

  /** Resolves once it is refused, or not any more. */
  async until(refusal: "SECOND_PRIMARY" | undefined, clock?: ManualClock): Promise<void> {
    while (this.refusal !== refusal) {
      // What is looked for from time to time comes with the time only.
      await Promise.race([this.#changed.promise, clock?.advance(1_000)]);
    }
  }

  /** Serves as the primary, once it has the claim. */
  async serve(): Promise<void> {
    const refusal = await this.claim.claim(undefined);
    if (refusal !== undefined) {
      throw new Error(refusal.reason);
    }
    this.isPrimary = true;
  }

  /** Serves no more, for good. */
  retire(): void {
    this.isCandidate = false;
    this.isPrimary = false;
    this.claim.reconsider();
  }

  /** Writes its record with this type. */
  async register(type: "PRIMARY" | "REPLICA"): Promise<void> {
    const since = new Date(0);
    const sources = { pooler: this.#description, state: START_STATE, since };
    const id = { component: ID_ComponentType.MULTIPOOLER, cell: CELL, name: this.#name };
    const { poolers } = this.topology.cell(CELL);
    const record = newRecord(sources, type);
    await poolers.delete(id).catch(() => undefined);
    await poolers.create(id, record);
    expect(record.type).toBe(PoolerType[type]);
  }

  get #description() {
    return {
      identity: { cell: CELL, name: this.#name },
      shard: SHARD,
      initialType: "PRIMARY",
      hostname: this.#name,
      ports: () => ({ grpc: 1 }),
    } as const;
  }
}

test("of two servers one gets the claim, and the other learns of it, with who has it", async () => {
  await using scene = new Scene();
  const a = await scene.pooler("a", "server 1");
  const b = await scene.pooler("b", "server 2");
  const outcomes = await Promise.allSettled([a.serve(), b.serve()]);
  expect(outcomes.map(({ status }) => status).toSorted()).toEqual(["fulfilled", "rejected"]);
  const [winner, loser] = a.claim.isHeldIn(0n) ? [a, b] : [b, a];
  expect(winner.refusal).toBeUndefined();
  expect(loser.claim.refusal()).toEqual({
    code: "SECOND_PRIMARY",
    reason: expect.stringMatching(
      /^the shard has a primary on another server, claimed by zone1\/[ab] at [ab]:1 since /,
    ),
  });
  await expect(loser.serve()).rejects.toThrow("the shard has a primary on another server");
  expect(loser.logger.messages("warn")).toEqual([expect.stringMatching(/^takes no writes: /)]);
});

test("two poolers of one server share the claim", async () => {
  await using scene = new Scene();
  const a = await scene.pooler("a", "server 1");
  const b = await scene.pooler("b", "server 1");
  await a.serve();
  await b.serve();
  expect([a.refusal, b.refusal]).toEqual([undefined, undefined]);
  // The server is started again, and a sees it first.
  a.server = "server 1 again";
  a.claim.reconsider();
  await b.until("SECOND_PRIMARY");
  b.server = "server 1 again";
  b.claim.reconsider();
  expect(b.refusal).toBeUndefined();
});

test("a primary that has become a standby lets the next one", async () => {
  await using scene = new Scene();
  const a = await scene.pooler("a", "server 1");
  const b = await scene.pooler("b", "server 2");
  await a.serve();
  await b.until("SECOND_PRIMARY");
  a.retire();
  await b.until(undefined, scene.clock);
  await b.serve();
  expect(b.claim.isHeldIn(0n)).toBe(true);
});

test("a primary that has ended keeps its claim, until somebody takes the type from it", async () => {
  await using scene = new Scene();
  const a = await scene.pooler("a", "server 1");
  await a.register("PRIMARY");
  await a.serve();
  await a.claim.close();
  const b = await scene.pooler("b", "server 2");
  await b.until("SECOND_PRIMARY");
  await scene.clock.advance(60_000);
  expect(b.refusal).toBe("SECOND_PRIMARY");
  await a.register("REPLICA");
  await b.until(undefined, scene.clock);
  await b.serve();
});

test("a claim that is gone is written again by its primary, and nobody is faster", async () => {
  await using scene = new Scene();
  const a = await scene.pooler("a", "server 1");
  const b = await scene.pooler("b", "server 2");
  await a.register("PRIMARY");
  await a.serve();
  await b.until("SECOND_PRIMARY");
  await b.topology.global.primaries.delete(SHARD);
  await expect(b.serve()).rejects.toThrow("the shard has a primary on another server");
  const { primaries } = b.topology.global;
  await expect.poll(async () => (await primaries.list()).records.length).toBe(1);
  await expect(b.serve()).rejects.toThrow("the shard has a primary on another server");
  await scene.clock.advance(10_000);
  expect([a.claim.isHeldIn(0n), a.refusal, b.refusal]).toEqual([true, undefined, "SECOND_PRIMARY"]);
});

test("a primary whose claim another one has is refused at once", async () => {
  await using scene = new Scene();
  const a = await scene.pooler("a", "server 1");
  await a.serve();
  const { primaries } = a.topology.global;
  const { record } = await primaries.get(SHARD);
  assert.ok(record.primary);
  const primary = { ...record.primary, pooler: { cell: CELL, name: "b" }, server: "server 2" };
  await primaries.update(SHARD, () => ({ ...record, primary }));
  await a.until("SECOND_PRIMARY");
  expect(a.claim.isHeldIn(0n)).toBe(false);
});

/** What a promotion claims the shard with. */
function promotion(term: bigint, from: ClaimRight["from"] = "earlier terms"): ClaimRight {
  return { term, from, superseded: () => undefined };
}

const LED_BY_A =
  "zone1/a has led the shard in term 2: another pooler is promoted in a newer one " +
  '("multipooler ctl term --set 3", and "ctl promote")';

test.each([
  ["nobody", 3n, expect.stringContaining("claimed by zone1/a")],
  ["earlier terms", 1n, LED_BY_A],
  ["earlier terms", 2n, LED_BY_A],
  ["earlier terms", 3n, undefined],
  ["anybody", 0n, undefined],
  ["anybody", 2n, undefined],
] as const)(
  "a claim that takes from %s in term %s from the primary of term 2 is judged",
  async (from, term, reason) => {
    await using scene = new Scene();
    const a = await scene.pooler("a", "server 1");
    const b = await scene.pooler("b", "server 2");
    a.term = 2n;
    await a.serve();
    const right = promotion(term, from);
    expect((await b.claim.whyNot(right, undefined))?.reason).toEqual(reason);
    expect((await b.claim.claim(undefined, right))?.reason).toEqual(reason);
    expect(b.claim.isHeldIn(2n)).toBe(reason === undefined);
    // Who was made the primary by force is so in the term that it was taken in.
    const again = await a.claim.whyNot(promotion(2n), undefined);
    expect(again === undefined).toBe(reason !== undefined);
  },
);

test("the term of a shard outlives the claim, and one that is not newer finds no vacancy", async () => {
  await using scene = new Scene();
  const a = await scene.pooler("a", "server 1");
  const b = await scene.pooler("b", "server 2");
  a.term = 2n;
  await a.serve();
  a.retire();
  const { primaries } = a.topology.global;
  const state = async (): Promise<unknown> => (await primaries.get(SHARD)).record;
  const term = { number: 2n, leader: { cell: CELL, name: "a" } };
  await expect.poll(state).toMatchObject({ primary: undefined, term });
  for (b.term of [0n, 1n, 2n]) {
    await expect(b.serve()).rejects.toThrow(LED_BY_A);
    expect(b.claim.refusal()).toEqual({ code: "SECOND_PRIMARY", reason: LED_BY_A });
  }
  // The same pooler may have it again.
  a.isCandidate = true;
  await a.serve();
  a.retire();
  await expect.poll(state).toMatchObject({ primary: undefined });
  b.term = 3n;
  expect(b.claim.refusal()).toBeUndefined();
  await b.serve();
  expect(await state()).toMatchObject({ term: { number: 3n, leader: { name: "b" } } });
});

test("a claim goes along to the newer term of its pooler, and never back", async () => {
  await using scene = new Scene();
  const a = await scene.pooler("a", "server 1");
  await a.serve();
  const termOf = async (): Promise<bigint | undefined> =>
    (await a.topology.global.primaries.get(SHARD)).record.term?.number;
  expect(await termOf()).toBeUndefined();
  a.term = 4n;
  a.claim.reconsider();
  await expect.poll(termOf).toBe(4n);
  expect(a.claim.isHeldIn(5n)).toBe(false);
  a.term = 3n;
  await a.serve();
  expect(await termOf()).toBe(4n);
});

test("a pooler that is superseded while it claims the shard claims nothing", async () => {
  await using scene = new Scene();
  const a = await scene.pooler("a", "server 1");
  const right = { ...promotion(2n), superseded: () => "term 3 is known" };
  expect(await a.claim.claim(undefined, right)).toEqual({
    code: "WRITES_REFUSED",
    reason: "term 3 is known",
  });
  expect((await a.topology.global.primaries.list()).records).toEqual([]);
});

test("of two candidates of a term one gets the claim, in whichever order they write", async () => {
  await using scene = new Scene();
  const a = await scene.pooler("a", "server 1");
  const b = await scene.pooler("b", "server 2");
  const refusals = await Promise.all(
    [a, b].map(({ claim }) => claim.claim(undefined, promotion(2n))),
  );
  expect(refusals.filter((refusal) => refusal === undefined)).toHaveLength(1);
});
