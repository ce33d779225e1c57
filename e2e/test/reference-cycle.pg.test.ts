import type { GrpcStatusError } from "@multipooler/grpc-services/client";
import { ReplicationPauseMode } from "@multipooler/proto/replication-v1";
import { expect, test } from "vitest";
import type { ClusterNode } from "./switchover/cluster-node.ts";
import { startPair, VERSIONS, waitFor } from "./switchover/node-pair.ts";
import { PrimaryWatch } from "./switchover/primary-watch.ts";
import { WriteLoad } from "./switchover/write-load.ts";
import { temporaryDirectory } from "./temporary-directory.ts";

// How a coordinator moves a primary, verb by verb: without `ctl switchover`, which has its own order.

const TIMEOUT_MS = 120_000;
const PATIENCE = { timeout: 30_000, interval: 20 };

/** Moves the primary in a newer term. */
async function cycle(from: ClusterNode, to: ClusterNode, term: bigint): Promise<void> {
  const known = term - 1n;
  const before = await from.client.replication.primaryPosition();
  const demoted = await from.client.roles.demote({ consensusTerm: known });
  expect(demoted).toMatchObject({ wasAlreadyDemoted: false, consensusTerm: known });
  await from.client.replication.setPrimaryConnInfo({
    host: "127.0.0.1",
    port: to.port,
    currentTerm: known,
  });
  await to.client.consensus.setTerm({ term: { termNumber: term } });
  await to.client.replication.waitForLSN({
    targetLsn: demoted.lsnPosition,
    timeout: { seconds: 30n },
  });
  const mode = ReplicationPauseMode.REPLICATION_PAUSE_MODE_REPLAY_AND_RECEIVER;
  await to.client.replication.stopReplication({ mode, wait: true });
  const { status } = await to.client.replication.replicationStatus();
  expect(status).toMatchObject({
    isWalReplayPaused: true,
    primaryConnInfo: undefined,
    walReceiverStatus: "",
  });
  const expectedLsn = status?.lastReplayLsn ?? "";
  // What was written until the demotion ended is not in it.
  await expectMismatch(to, { term, expectedLsn: before.lsnPosition, current: expectedLsn });
  const promoted = await to.client.roles.promote({
    consensusTerm: term,
    expectedLsn,
    syncReplicationConfig: waitFor(from),
  });
  expect(promoted).toMatchObject({
    wasAlreadyPrimary: false,
    consensusTerm: term,
    notServing: undefined,
  });
  const { lsnPosition } = await to.client.replication.primaryPosition();
  const [row] = await to.sql(
    `select '${expectedLsn}' >= '${demoted.lsnPosition}'::pg_lsn as has_all, '${lsnPosition}' >= '${promoted.lsnPosition}'::pg_lsn as goes_on`,
  );
  expect(row).toEqual({ has_all: true, goes_on: true });
}

interface Mismatch {
  readonly term: bigint;
  readonly expectedLsn: string;
  readonly current: string;
}

/** A standby that is elsewhere than the coordinator takes it to be stays one. */
async function expectMismatch(
  { client }: ClusterNode,
  { term, expectedLsn, current }: Mismatch,
): Promise<void> {
  await expect(client.roles.promote({ consensusTerm: term, expectedLsn })).rejects.toMatchObject({
    code: "FAILED_PRECONDITION",
    message: expect.stringContaining(`LSN mismatch: expected ${expectedLsn}, current ${current}. `),
  } satisfies Partial<Record<keyof GrpcStatusError, unknown>>);
  expect(await client.status()).toMatchObject({ database: { inRecovery: true } });
}

test.for(VERSIONS)(
  "a coordinator moves the primary and back by the verbs while writes go on, and none is lost: PostgreSQL $version",
  { timeout: TIMEOUT_MS },
  async ({ version, programs }, { skip }) => {
    if (programs === undefined) {
      return skip(`Debian's PostgreSQL ${version} is not installed`);
    }
    await using directory = await temporaryDirectory();
    await using parts = new AsyncDisposableStack();
    const [a, b] = await startPair({ directory: directory.path, programs }, parts);
    const watch = new PrimaryWatch();
    const watching = new AbortController();
    const followed = [a, b].map((node) => watch.follow(node, watching.signal));
    const load = parts.use(new WriteLoad([a, b], 0));
    const moreWrites = async (): Promise<void> => {
      const enough = load.acknowledged.length + 20;
      await expect.poll(() => load.acknowledged.length, PATIENCE).toBeGreaterThanOrEqual(enough);
    };
    await moreWrites();
    await cycle(a, b, 2n);
    await moreWrites();
    await cycle(b, a, 3n);
    await moreWrites();
    await load.stop();
    watching.abort();
    await Promise.all(followed);
    expect(watch.violations).toEqual([]);
    expect([...watch.primaries]).toEqual(["a in term 1", "b in term 2", "a in term 3"]);
    const found = new Set((await a.sql("select id from kept")).map(({ id }) => id));
    expect(load.acknowledged.filter(({ id }) => !found.has(id))).toEqual([]);
    const count = "select count(*)::int as n from kept";
    const rows = await a.sql(count);
    await expect.poll(() => b.sql(count), PATIENCE).toEqual(rows);
  },
);
