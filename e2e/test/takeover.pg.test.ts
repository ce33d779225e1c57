import { connect } from "@multipooler/grpc-services/client";
import { startPooler } from "@multipooler/pooler-process";
import { PoolerType, ServingStatus } from "@multipooler/proto/manager-v1";
import type { RoleStep } from "@multipooler/proto/promotion-v1";
import { startPostgres } from "@multipooler/test-postgres";
import { expect, test } from "vitest";
import { flagsFor } from "./flags.ts";
import type { ClusterNode, NodePart } from "./switchover/cluster-node.ts";
import { KillPlan } from "./switchover/kill-plan.ts";
import { caughtUp, EMBEDDED, startPair, VERSIONS, waitFor } from "./switchover/node-pair.ts";
import type { NodePair } from "./switchover/node-pair.ts";
import { PrimaryWatch } from "./switchover/primary-watch.ts";
import { changeThroughFault } from "./switchover/role-change.ts";
import type { RoleCall } from "./switchover/role-change.ts";
import { WriteLoad } from "./switchover/write-load.ts";
import { temporaryDirectory } from "./temporary-directory.ts";

/** Each of them is killed some twenty times. */
const TIMEOUT_MS = 600_000;
const WRITE_TIMEOUT_MS = 10_000;
const PARTS: readonly NodePart[] = ["pooler", "PostgreSQL", "daemon"];
/** The daemon has shut PostgreSQL down for a demotion, and has not started it again. */
const BETWEEN_STOP_AND_START = '"msg":"stopped PostgreSQL"';
/** PostgreSQL is a standby, and the demotion has not noted how far it came; or it is a primary. */
const AFTER_RESTART = '"inRecovery":true';
const AFTER_PROMOTION = '"inRecovery":false';
/** Of the load; the rows that are counted are below. */
const FIRST_OF_LOAD = 1_000_000;
const PAUSE_MS = 50;
/** A reason that is told nowhere: an explanation changes nothing. */
const EXPLAINED = { explain: true, forceReason: "only the steps are asked for" };

/** Two nodes of one shard whose roles are changed while a part of them is killed. */
class Takeovers {
  readonly #plan: KillPlan;
  readonly #part: NodePart;
  #primary: ClusterNode;
  #standby: ClusterNode;
  #term = 1n;
  #rows = 0;

  constructor(plan: KillPlan, part: NodePart, [primary, standby]: NodePair) {
    this.#plan = plan;
    this.#part = part;
    this.#primary = primary;
    this.#standby = standby;
  }

  get term(): bigint {
    return this.#term;
  }

  /** Each step of a demotion and of a promotion is once the one at which the part is killed. */
  async swapThroughEachStep(): Promise<void> {
    const { steps: demotion } = await this.#primary.client.roles.demote(EXPLAINED);
    const { steps: promotion } = await this.#standby.client.roles.promote(EXPLAINED);
    const stops = [...demotion.map(wordsOf), AFTER_RESTART];
    if (this.#part !== "PostgreSQL") {
      stops.push(BETWEEN_STOP_AND_START);
    }
    const starts = [...promotion.map(wordsOf), AFTER_PROMOTION];
    for (let round = 0; round < Math.max(stops.length, starts.length); round += 1) {
      await this.#swap(stops[round], starts[round]);
    }
  }

  /** The same for a few of them. */
  async swapThrough(faults: readonly (readonly [stop: string, start: string])[]): Promise<void> {
    for (const [stop, start] of faults) {
      await this.#swap(stop, start);
    }
  }

  /** The same for the undoing of a demotion. */
  async undoThroughEachStep(): Promise<void> {
    await this.#demote();
    const { steps } = await this.#primary.client.roles.undoDemote({ explain: true });
    for (const [index, step] of steps.entries()) {
      if (index > 0) {
        await this.#demote();
      }
      await this.#change(this.#primary, (client) => client.roles.undoDemote({}), wordsOf(step));
      await this.#expectPrimary();
    }
  }

  /** Both servers have what was written, in the end. */
  async expectNothingLost({ acknowledged }: WriteLoad): Promise<void> {
    await caughtUp(this.#standby, this.#primary);
    for (const node of [this.#primary, this.#standby]) {
      const found = new Set((await node.sql("select id from kept")).map(({ id }) => Number(id)));
      const rows = [...found].filter((id) => id < FIRST_OF_LOAD);
      const lost = acknowledged.filter(({ id }) => !found.has(id));
      expect([node.name, rows.length, lost]).toEqual([node.name, this.#rows, []]);
    }
    // It has gone on after each of them.
    expect(acknowledged.length).toBeGreaterThan(this.#rows);
  }

  async #swap(demotedAt: string | undefined, promotedAt: string | undefined): Promise<void> {
    const [from, to] = [this.#primary, this.#standby];
    this.#term += 1n;
    const currentTerm = this.#term;
    await to.client.consensus.setTerm({ term: { termNumber: currentTerm } });
    const targetLsn = await this.#demote(demotedAt);
    const timeout = { seconds: 20n };
    await to.client.replication.waitForLSN({ targetLsn, timeout });
    const host = "127.0.0.1";
    await from.client.replication.setPrimaryConnInfo({ host, port: to.port, currentTerm });
    const promotion = { consensusTerm: currentTerm, syncReplicationConfig: waitFor(from) };
    await this.#change(to, (client) => client.roles.promote(promotion), promotedAt);
    [this.#primary, this.#standby] = [to, from];
    await this.#expectPrimary();
  }

  async #demote(killAt?: string): Promise<string> {
    const node = this.#primary;
    let lsn = "";
    const demote: RoleCall = async ({ roles }) => {
      ({ lsnPosition: lsn } = await roles.demote({ consensusTerm: this.#term }));
    };
    await this.#change(node, demote, killAt);
    await node.ready();
    const { poolerType, serving, database } = await node.client.status();
    expect([poolerType, serving?.current, database?.inRecovery]).toEqual([
      PoolerType.POOLER_TYPE_REPLICA,
      ServingStatus.SERVING_STATUS_SERVING_RDONLY,
      true,
    ]);
    return lsn;
  }

  /** It takes writes, under its term, and each of them waits for the standby. */
  async #expectPrimary(): Promise<void> {
    // The call may have been answered before the pooler has found a server again that was killed.
    await this.#primary.ready();
    const { client } = this.#primary;
    this.#rows += 1;
    const query = `insert into kept values (${this.#rows})`;
    await client.executeQuery({ query }, { timeoutMs: WRITE_TIMEOUT_MS });
    const { status } = await client.replication.primaryStatus();
    expect(status?.syncReplicationConfig).toEqual(waitFor(this.#standby));
    const { poolerType, serving, term } = await client.status();
    expect([poolerType, serving?.current, term?.termNumber, term?.leaderId?.name]).toEqual([
      PoolerType.POOLER_TYPE_PRIMARY,
      ServingStatus.SERVING_STATUS_SERVING,
      this.#term,
      this.#primary.name,
    ]);
  }

  async #change(node: ClusterNode, call: RoleCall, words: string | undefined): Promise<void> {
    if (words === undefined) {
      await call(node.client);
    } else {
      await changeThroughFault(node, call, { plan: this.#plan, part: this.#part, words });
    }
  }
}

/** As the log has a step that begins. */
function wordsOf({ name }: RoleStep): string {
  return `"step":${JSON.stringify(name)}`;
}

/** Changes roles under a load of writes, and looks at what is left. Resolves with what the watch has against it. */
async function underLoad(
  { part, programs }: { readonly part: NodePart; readonly programs: string },
  change: (takeovers: Takeovers) => Promise<void>,
): Promise<readonly string[]> {
  await using directory = await temporaryDirectory();
  await using parts = new AsyncDisposableStack();
  const plan = new KillPlan(directory.path);
  const pair = await startPair({ directory: directory.path, programs, plan }, parts);
  const watch = new PrimaryWatch();
  const watching = new AbortController();
  const followed = pair.map((node) => watch.follow(node, watching.signal));
  const load = parts.use(new WriteLoad(pair, FIRST_OF_LOAD, PAUSE_MS));
  const takeovers = new Takeovers(plan, part, pair);
  await change(takeovers);
  await load.stop();
  await takeovers.expectNothingLost(load);
  watching.abort();
  await Promise.all(followed);
  // It has seen each of them.
  expect(watch.primaries.size).toBe(Number(takeovers.term));
  return watch.violations;
}

test.concurrent.each(PARTS)(
  "a change of role completes when it is asked for again, at whichever step the %s was killed",
  { timeout: TIMEOUT_MS },
  async (part) => {
    const violations = await underLoad({ part, programs: EMBEDDED }, async (takeovers) => {
      await takeovers.swapThroughEachStep();
      await takeovers.undoThroughEachStep();
    });
    expect(violations).toEqual([]);
  },
);

const DEBIAN = VERSIONS.find(({ version }) => version === "15")?.programs;

test.skipIf(DEBIAN === undefined)(
  "on PostgreSQL 15 too a change of role completes after the pooler was killed in its middle",
  { timeout: TIMEOUT_MS },
  async () => {
    const node = { part: "pooler", programs: DEBIAN ?? "" } as const;
    const violations = await underLoad(node, (takeovers) =>
      takeovers.swapThrough([
        [AFTER_RESTART, AFTER_PROMOTION],
        ['"step":"serve"', '"step":"claim the shard"'],
      ]),
    );
    expect(violations).toEqual([]);
  },
);

test("the watch over the primaries sees two that do not know of each other", async () => {
  await using postgres = await startPostgres();
  await using parts = new AsyncDisposableStack();
  const watch = new PrimaryWatch();
  const watching = new AbortController();
  const followed: Promise<void>[] = [];
  for (const name of ["a", "b"]) {
    // Each has a topology of its own, in its memory.
    const flags = { ...flagsFor(postgres), "service-id": name };
    const pooler = parts.use(startPooler({ flags }));
    const client = parts.use(connect({ address: await pooler.grpc() }));
    followed.push(watch.follow({ name, client }, watching.signal));
  }
  await expect.poll(() => watch.violations, { timeout: 30_000 }).toHaveLength(1);
  watching.abort();
  await Promise.all(followed);
});
