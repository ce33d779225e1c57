import assert from "node:assert/strict";
import { ManualClock } from "@multipooler/timing/testing";
import { ID_ComponentType, PoolerType, Topology, ensureCell } from "@multipooler/topo";
import { MemoryTopology } from "@multipooler/topo/memory";
import { expect, test } from "vitest";
import { RecordingLogger } from "../../test/recording-logger.ts";
import { newRecord } from "./pooler-record.ts";
import { START_STATE } from "./announcement.ts";
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
    await this.claim.claim(undefined);
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
  const [winner, loser] = a.claim.isHeld ? [a, b] : [b, a];
  expect(winner.refusal).toBeUndefined();
  expect(loser.claim.refusal()).toEqual({
    code: "SECOND_PRIMARY",
    reason: expect.stringMatching(
      /^the shard has a primary on another server, claimed by zone1\/[ab] at [ab]:1 since /,
    ),
  });
  await expect(loser.serve()).rejects.toMatchObject({ code: "SECOND_PRIMARY" });
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
  expect(b.claim.isHeld).toBe(true);
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
  await expect(b.serve()).rejects.toMatchObject({ code: "SECOND_PRIMARY" });
  const { primaries } = b.topology.global;
  await expect.poll(async () => (await primaries.list()).records.length).toBe(1);
  await expect(b.serve()).rejects.toMatchObject({ code: "SECOND_PRIMARY" });
  await scene.clock.advance(10_000);
  expect([a.claim.isHeld, a.refusal, b.refusal]).toEqual([true, undefined, "SECOND_PRIMARY"]);
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
  expect(a.claim.isHeld).toBe(false);
});
