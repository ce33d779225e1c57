import { writeFile } from "node:fs/promises";
import path from "node:path";
import type { CallOptions } from "@multipooler/query-service";
import { MemoryTopology } from "@multipooler/topo/memory";
import { expect, test } from "vitest";
import { ManagerError, ManagerErrorCode } from "../src/manager-error.ts";
import { Component, NO_TERM } from "../src/terms/consensus-term.ts";
import type { ComponentId } from "../src/terms/consensus-term.ts";
import { FakeReplication } from "./fake-replication.ts";
import { ManagerFixture } from "./manager-fixture.ts";
import { MemoryDatabase } from "./memory-database.ts";
import { temporaryDir } from "./temporary-dir.ts";

const SELF: ComponentId = { component: Component.Multipooler, cell: "zone1", name: "a" };
const CANDIDATE: ComponentId = { component: Component.Multipooler, cell: "zone1", name: "b" };

/** A primary with a directory, ready. */
async function primary(
  poolerDir: string,
): Promise<{ fixture: ManagerFixture; replication: FakeReplication; database: MemoryDatabase }> {
  const replication = new FakeReplication();
  const database = new MemoryDatabase(replication);
  const fixture = new ManagerFixture({ poolerDir, manager: { database, healthIntervalMs: 10 } });
  await fixture.open();
  await fixture.untilReady();
  return { fixture, replication, database };
}

test("a primary goes on to lead a term that is set, and is routed to under it", async () => {
  await using directory = await temporaryDir();
  const { fixture, database } = await primary(directory.path);
  await using _ = fixture;
  const { consensus } = fixture.manager;
  expect(await consensus.setTerm({ ...NO_TERM, number: 4n })).toMatchObject({ leader: SELF });
  const { serving } = await fixture.until(
    ({ serving: { current } }) => current.term?.coordinatorTerm === 4n,
  );
  expect(serving.current).toMatchObject({ status: "SERVING", role: "PRIMARY" });
  expect(() => consensus.leadershipView()).toThrow("no heartbeat is written or read");
  database.heartbeat = { mode: "writer", lastWrittenAt: new Date(), lastError: undefined };
  expect(consensus.leadershipView()).toMatchObject({ leader: SELF, leaderTerm: 4n, lagMs: 0 });
});

test("a primary leads no other term than its first one unless that is said", async () => {
  await using directory = await temporaryDir();
  const { fixture } = await primary(directory.path);
  await using _ = fixture;
  const { consensus } = fixture.manager;
  await consensus.setTerm({ ...NO_TERM, number: 4n });
  // Once more it is the same.
  expect(await consensus.setTerm({ ...NO_TERM, number: 4n })).toMatchObject({ leader: SELF });
  // For another one somebody else may have been recruited.
  const force = "the coordinator is gone";
  for (const [number, options] of [
    [5n, {}],
    [3n, { force }],
  ] as const) {
    const set = await consensus.setTerm({ ...NO_TERM, number }, options);
    expect(set).toMatchObject({ leader: undefined });
    await fixture.until(
      ({ serving: { current: now } }) =>
        now.status === "SERVING_RDONLY" && now.reason.includes(`term ${number} is known`),
    );
    await consensus.setTerm({ ...NO_TERM, number, leader: SELF });
    await fixture.until(({ serving: { current } }) => current.term?.coordinatorTerm === number);
  }
});

test("the term that holds, set once more, lets no second candidate in", async () => {
  await using directory = await temporaryDir();
  const { fixture } = await primary(directory.path);
  await using _ = fixture;
  const { consensus } = fixture.manager;
  await consensus.setTerm({ ...NO_TERM, number: 4n });
  const vote = { term: 4n, candidate: CANDIDATE };
  expect(await consensus.beginTerm(vote)).toEqual({ term: 4n, accepted: true });
  const { acceptedLeader, leader } = await consensus.setTerm({ ...NO_TERM, number: 4n });
  expect({ acceptedLeader, leader }).toEqual({ acceptedLeader: CANDIDATE, leader: SELF });
  const other = { ...CANDIDATE, name: "c" };
  const refused = { term: 4n, accepted: false };
  expect(await consensus.beginTerm({ term: 4n, candidate: other })).toEqual(refused);
  await expect(consensus.setTerm({ ...NO_TERM, number: 4n, leader: other })).rejects.toMatchObject({
    code: "FAILED_PRECONDITION",
    message: "zone1/a leads term 4 already: zone1/c needs a higher one",
  });
  // Nor does a lower one, which is no way around the vote.
  await expect(consensus.setTerm({ ...NO_TERM, number: 3n })).rejects.toMatchObject({
    code: "FAILED_PRECONDITION",
    message: expect.stringMatching(/^consensus term too old: request term 3 is less than /),
  });
  await expect(consensus.setTerm(NO_TERM, { force: " " })).rejects.toMatchObject({
    code: "INVALID_ARGUMENT",
  });
  // Term 0 is none, which nobody leads.
  await consensus.setTerm(NO_TERM, { force: "the coordinator is gone" });
  expect(await consensus.setTerm(NO_TERM)).toEqual(NO_TERM);
});

test("a primary whose shard another server has leads no term by being given one", async () => {
  await using directory = await temporaryDir();
  const servers = new MemoryTopology();
  const pooler = (name: string, poolerDir?: string): ManagerFixture => {
    const database = new MemoryDatabase(new FakeReplication());
    database.server = `server of ${name}`;
    const dir = poolerDir === undefined ? {} : { poolerDir };
    return new ManagerFixture({ servers, name, ...dir, manager: { database } });
  };
  await using first = pooler("first");
  await first.open();
  await first.untilReady();
  await using second = pooler("second", directory.path);
  await second.open();
  await second.until(({ notReadyCode }) => notReadyCode === "SECOND_PRIMARY");
  const { consensus } = second.manager;
  expect(await consensus.setTerm({ ...NO_TERM, number: 1n })).toMatchObject({ leader: undefined });
});

test("a primary that learns of a newer term takes no more writes, whatever comes of the vote", async () => {
  await using directory = await temporaryDir();
  const { fixture } = await primary(directory.path);
  await using _ = fixture;
  const { consensus } = fixture.manager;
  await consensus.setTerm({ ...NO_TERM, number: 4n });
  expect(await consensus.beginTerm({ term: 5n, candidate: CANDIDATE })).toEqual({
    term: 5n,
    accepted: true,
  });
  const { serving } = await fixture.until(
    (status) => status.serving.current.status === "SERVING_RDONLY",
  );
  expect(serving.current).toMatchObject({
    role: "REPLICA",
    reason: "the topology says PRIMARY, but term 5 is known, and this pooler does not lead it",
  });
  // A second candidate of the term gets no vote; nor does one of an older term.
  const other = { ...CANDIDATE, name: "c" };
  const refused = { term: 5n, accepted: false };
  expect(await consensus.beginTerm({ term: 5n, candidate: other })).toEqual(refused);
  expect(await consensus.beginTerm({ term: 4n, candidate: other })).toEqual(refused);
  expect(await consensus.beginTerm({ term: 5n, candidate: CANDIDATE })).toMatchObject({
    accepted: true,
  });
});

test("without a term, or PostgreSQL, there is no vote", async () => {
  await using directory = await temporaryDir();
  const { fixture, replication } = await primary(directory.path);
  await using _ = fixture;
  const { consensus } = fixture.manager;
  const vote = { term: 1n, candidate: CANDIDATE };
  await expect(consensus.beginTerm(vote)).rejects.toMatchObject({
    code: "FAILED_PRECONDITION",
    message: expect.stringContaining("consensus term not initialized"),
  });
  await expect(
    consensus.beginTerm({ ...vote, candidate: { ...CANDIDATE, name: "" } }),
  ).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
  replication.fault = new ManagerError(ManagerErrorCode.DatabaseUnavailable, "it is away");
  await expect(consensus.beginTerm(vote)).rejects.toMatchObject({
    code: "DATABASE_UNAVAILABLE",
    message: "postgres unhealthy, cannot accept new term: it is away",
  });
  expect(await consensus.status()).toMatchObject({ term: NO_TERM, wal: undefined });
  expect(fixture.manager.status().serving.current).toMatchObject({ status: "SERVING" });
  expect(await consensus.canReachPrimary("db2", 5432)).toEqual({
    reachable: false,
    problem: "database connection not available",
  });
});

test("a newer term takes the right to write away although PostgreSQL does not answer the coordinator, and for good", async () => {
  await using directory = await temporaryDir();
  const { fixture, replication } = await primary(directory.path);
  await using _ = fixture;
  const { consensus } = fixture.manager;
  await consensus.setTerm({ ...NO_TERM, number: 4n });
  replication.fault = new ManagerError(ManagerErrorCode.DatabaseUnavailable, "it is away");
  await expect(consensus.beginTerm({ term: 5n, candidate: CANDIDATE })).rejects.toMatchObject({
    code: "DATABASE_UNAVAILABLE",
  });
  const { serving } = await fixture.until(
    (status) => status.serving.current.status === "SERVING_RDONLY",
  );
  expect(serving.current).toMatchObject({ role: "REPLICA" });
  await fixture.manager.close();
  await using again = (await primary(directory.path)).fixture;
  const { serving: later } = await again.until(
    (status) => status.serving.current.status === "SERVING_RDONLY",
  );
  expect(later.current.reason).toMatch("term 5 is known");
  expect(again.controller.calls).not.toContain("PRIMARY SERVING");
});

const NAMING_A_TERM: Readonly<
  Record<string, (manager: ManagerFixture["manager"], options: CallOptions) => Promise<unknown>>
> = {
  BeginTerm: ({ consensus }, options) =>
    consensus.beginTerm({ term: 5n, candidate: CANDIDATE }, options),
  SetTerm: ({ consensus }, options) => consensus.setTerm({ ...NO_TERM, number: 5n }, options),
  SetPrimaryConnInfo: ({ replication }, options) =>
    replication.setPrimaryConnInfo({ host: "db2", port: 5432 }, { term: 5n, ...options }),
  UpdateSynchronousStandbyList: ({ replication }, options) =>
    replication.updateSynchronousStandbyList(
      { operation: "add", standbys: [{ cell: "zone1", name: "b" }] },
      { term: 5n, ...options },
    ),
};

test.each(Object.entries(NAMING_A_TERM))(
  "%s takes the right to write away while another action has the lock",
  async (_, call) => {
    await using directory = await temporaryDir();
    const { fixture } = await primary(directory.path);
    await using owned = fixture;
    const { manager } = owned;
    await manager.consensus.setTerm({ ...NO_TERM, number: 4n });
    // Nobody waits for the lock with it.
    await expect(call(manager, { signal: AbortSignal.abort() })).rejects.toMatchObject({
      code: "LOCK_NOT_ACQUIRED",
    });
    const { serving } = await owned.until(
      (status) => status.serving.current.status === "SERVING_RDONLY",
    );
    expect(serving.current.reason).toMatch("term 5 is known");
    // The way back does not depend on how the term was heard of.
    expect(manager.status().term).toEqual({ ...NO_TERM, number: 5n });
    const { notServing } = await manager.roles.promote({ term: 5n });
    expect(notServing).toBeUndefined();
    expect(manager.status().serving.current).toMatchObject({ status: "SERVING" });
  },
);

test("a request that makes no sense leaves the right to write, whatever term it names", async () => {
  await using directory = await temporaryDir();
  const { fixture } = await primary(directory.path);
  await using _ = fixture;
  const { consensus, replication } = fixture.manager;
  await consensus.setTerm({ ...NO_TERM, number: 4n });
  const refused = { code: "INVALID_ARGUMENT" };
  await expect(
    replication.setPrimaryConnInfo({ host: "", port: 5432 }, { term: 5n }),
  ).rejects.toMatchObject(refused);
  await expect(
    replication.updateSynchronousStandbyList({ operation: "add", standbys: [] }, { term: 5n }),
  ).rejects.toMatchObject(refused);
  // Had one of them been heard, no more would be needed than to decide.
  await consensus.setTerm({ ...NO_TERM, number: 4n });
  expect(fixture.manager.status().serving.current).toMatchObject({ status: "SERVING" });
  expect(await consensus.status()).toMatchObject({ term: { number: 4n, leader: SELF } });
});

test("a standby that has long heard nothing adopts a newer term, and does not vote in it", async () => {
  await using directory = await temporaryDir();
  const { fixture, replication } = await primary(directory.path);
  await using _ = fixture;
  const { consensus } = fixture.manager;
  await consensus.setTerm({ ...NO_TERM, number: 1n });
  replication.inRecovery = true;
  replication.heardAt = new Date(Date.now() - 31_000);
  const vote = { term: 2n, candidate: CANDIDATE };
  expect(await consensus.beginTerm(vote)).toEqual({ term: 2n, accepted: false });
  replication.heardAt = new Date();
  expect(await consensus.beginTerm(vote)).toEqual({ term: 2n, accepted: true });
});

test("a standby says whether it streams from an address", async () => {
  await using directory = await temporaryDir();
  const { fixture, replication } = await primary(directory.path);
  await using _ = fixture;
  const { consensus } = fixture.manager;
  const problem = async (host: string, port: number): Promise<string> =>
    (await consensus.canReachPrimary(host, port)).problem;
  expect(await problem("db2", 5432)).toBe("no active WAL receiver");
  replication.inRecovery = true;
  expect(await problem("db2", 5432)).toBe("no active WAL receiver");
  replication.primaryConnInfo = {
    host: "db2",
    port: 5432,
    user: "postgres",
    applicationName: "zone1_a",
    raw: "",
  };
  expect(await consensus.canReachPrimary("db2", 5432)).toEqual({ reachable: true, problem: "" });
  expect(await problem("db3", 5432)).toBe(
    "WAL receiver connected to different host: expected db3, got db2",
  );
  expect(await problem("db2", 1)).toBe(
    "WAL receiver connected to different port: expected 1, got 5432",
  );
  expect(await consensus.status()).toMatchObject({ wal: { inRecovery: true, lsn: "0/3000148" } });
});

test("a term that cannot be read ends the start, and nothing is changed", async () => {
  await using directory = await temporaryDir();
  const file = path.join(directory.path, "consensus_term.json");
  await writeFile(file, "{");
  await using fixture = new ManagerFixture({ poolerDir: directory.path });
  await expect(fixture.open()).rejects.toMatchObject({
    code: "RECORD_FILE_INVALID",
    message: expect.stringContaining(`${file} is not JSON`),
  });
  expect(fixture.transport.calls).not.toContain("listen");
});
