import assert from "node:assert/strict";
import { ManualClock } from "@multipooler/timing/testing";
import type { ShardCluster } from "@multipooler/topo";
import { expect, test } from "vitest";
import { RecordingLogger } from "../../test/recording-logger.ts";
import type { ClusterPosition } from "../database/cluster-position.ts";
import { ClusterCheck } from "./cluster-check.ts";

const SHARD: ShardCluster = {
  systemIdentifier: 7n,
  timeline: 2,
  history: [{ timeline: 1, end: 9n }],
};
const HERE: ClusterPosition = { ...SHARD, lsn: 20n };
const AHEAD: ClusterPosition = {
  ...HERE,
  timeline: 3,
  history: [
    { timeline: 1, end: 9n },
    { timeline: 2, end: 30n },
  ],
};

/** A server and a shard as the test wants them. */
class Fixture implements AsyncDisposable {
  readonly clock: ManualClock = new ManualClock();
  readonly logger: RecordingLogger = new RecordingLogger();
  server: ClusterPosition | undefined = HERE;
  inRecovery = true;
  isAway = false;
  isCandidate = false;
  changes = 0;
  readonly remembered: (bigint | undefined)[] = [];
  readonly check: ClusterCheck = new ClusterCheck({
    shard: { database: "app", tableGroup: "default", shard: "0-inf" },
    facts: () =>
      this.isAway
        ? undefined
        : {
            inRecovery: this.inRecovery,
            serverVersion: "17.0",
            place: "db:1",
            cluster: this.server,
          },
    remembered: 7n,
    remember: (systemIdentifier) => this.remembered.push(systemIdentifier),
    isCandidate: () => this.isCandidate,
    clock: this.clock,
    logger: this.logger,
    onChange: () => {
      this.changes += 1;
    },
  });

  async become(change: Partial<Fixture>): Promise<string | undefined> {
    Object.assign(this, change);
    this.check.reconsider();
    await this.clock.advance(0);
    return this.check.fault?.code;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.check.close();
    assert.equal(this.clock.pending, 0, "no timer is left");
  }
}

test("what an earlier run knew counts until the topology has spoken", async () => {
  await using fixture = new Fixture();
  fixture.check.open();
  expect(await fixture.become({ server: HERE })).toBeUndefined();
  const server = { ...HERE, systemIdentifier: 8n };
  expect(await fixture.become({ server })).toBe("WRONG_CLUSTER");
  fixture.check.learn(undefined);
  expect(fixture.check.fault).toBeUndefined();
  fixture.check.learn(SHARD);
  expect(fixture.check.fault?.code).toBe("WRONG_CLUSTER");
  expect(fixture.remembered).toEqual([undefined, 7n]);
});

async function opened(shard: ShardCluster | undefined): Promise<Fixture> {
  const fixture = new Fixture();
  fixture.check.open();
  fixture.check.learn(shard);
  await fixture.clock.advance(0);
  return fixture;
}

test("a shard that nobody has told its cluster, and a database without one, take everything", async () => {
  await using fixture = await opened(undefined);
  expect(await fixture.become({ server: AHEAD })).toBeUndefined();
  fixture.check.learn(SHARD);
  expect(await fixture.become({ server: undefined })).toBeUndefined();
});

test("what is elsewhere in history is looked at each second: a standby that goes the wrong way", async () => {
  await using fixture = await opened(SHARD);
  const behind = { ...HERE, timeline: 1, history: [], lsn: 5n };
  expect(await fixture.become({ server: behind })).toBeUndefined();
  fixture.server = { ...behind, lsn: 10n };
  await fixture.clock.advance(1_000);
  expect(fixture.check.fault).toEqual({
    code: "DIVERGED",
    reason: expect.stringMatching(/^PostgreSQL at db:1 went on along timeline 1 after the shard /),
  });
  expect(fixture.changes).toBe(1);
  expect(fixture.logger.messages("error")).toEqual([fixture.check.fault?.reason]);
});

test("out of recovery on an earlier timeline it has diverged, a candidate too", async () => {
  await using fixture = await opened(SHARD);
  const server = { ...HERE, timeline: 1, history: [], lsn: 5n };
  expect(await fixture.become({ server, inRecovery: false, isCandidate: true })).toBe("DIVERGED");
});

test("a standby that is ahead is served for ten seconds, or until the shard is there too", async () => {
  await using fixture = await opened(SHARD);
  expect(await fixture.become({ server: AHEAD })).toBeUndefined();
  await fixture.clock.advance(9_000);
  fixture.check.learn({ ...SHARD, timeline: 3, history: AHEAD.history });
  await fixture.clock.advance(60_000);
  expect(fixture.check.fault).toBeUndefined();

  fixture.check.learn(SHARD);
  await fixture.clock.advance(9_999);
  expect(fixture.check.fault).toBeUndefined();
  await fixture.clock.advance(1_001);
  expect(fixture.check.fault?.code).toBe("DIVERGED");
  // It is to be the primary: the shard will follow it.
  expect(await fixture.become({ isCandidate: true, inRecovery: false })).toBeUndefined();
});

test("a server that is away is what it was, and another one is judged by itself", async () => {
  await using fixture = await opened(SHARD);
  expect(await fixture.become({ server: { ...HERE, systemIdentifier: 8n } })).toBe("WRONG_CLUSTER");
  expect(await fixture.become({ isAway: true })).toBe("WRONG_CLUSTER");
  expect(await fixture.become({ isAway: false, server: HERE })).toBeUndefined();
  expect(fixture.logger.messages("info")).toEqual(["PostgreSQL has the data of the shard again"]);
});
