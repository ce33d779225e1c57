import { ID_ComponentType } from "@multipooler/proto/clustermetadata";
import { expect, test } from "vitest";
import { TERM } from "./fake-manager.ts";
import { startServer } from "./test-server.ts";

const ID = { component: ID_ComponentType.MULTIPOOLER, cell: "zone1", name: "abc12345" };

test("a term is set as it is given, and told in the status", async () => {
  await using pooler = await startServer();
  const { consensus } = pooler.client;
  const message = {
    termNumber: 9n,
    acceptedLeader: undefined,
    lastAcceptanceTime: undefined,
    leaderId: ID,
  };
  expect(await consensus.setTerm({ term: message })).toEqual({ term: message });
  expect(pooler.manager.asked).toEqual([{ ...TERM, number: 9n, acceptedAt: undefined }]);
  expect((await pooler.client.status()).term).toEqual({ ...message, termNumber: 3n });
  await consensus.setTerm({ term: message, forceReason: "start over" });
  expect(pooler.manager.asked.at(-1)).toMatchObject({ number: 9n, force: "start over" });
});

test("a vote is asked for by a whole id", async () => {
  await using pooler = await startServer();
  const { consensus } = pooler.client;
  expect(await consensus.beginTerm({ term: 4n, candidateId: ID })).toEqual({
    term: 4n,
    accepted: true,
    poolerId: ID,
  });
  expect(pooler.manager.asked).toEqual([{ term: 4n, candidate: TERM.leader }]);
});

test.each([
  { candidateId: undefined },
  { candidateId: { ...ID, cell: "" } },
  { candidateId: { ...ID, name: "" } },
])("a vote for $candidateId is refused, and nobody is asked", async ({ candidateId }) => {
  await using pooler = await startServer();
  await expect(pooler.client.consensus.beginTerm({ term: 4n, candidateId })).rejects.toMatchObject({
    code: "INVALID_ARGUMENT",
    message: "candidate_id must name a component, a cell and a name",
  });
  expect(pooler.manager.asked).toEqual([]);
});

test("a term that is missing is refused", async () => {
  await using pooler = await startServer();
  await expect(pooler.client.consensus.setTerm({})).rejects.toMatchObject({
    code: "INVALID_ARGUMENT",
    message: "term is missing",
  });
});

test("position, leader and reach are told", async () => {
  await using pooler = await startServer();
  const { consensus } = pooler.client;
  expect(await consensus.status()).toMatchObject({
    poolerId: ID,
    isHealthy: true,
    walPosition: { inRecovery: false, currentLsn: "0/3000148", lastReceiveLsn: "" },
    postgresHost: "db1",
    postgresPort: 5432,
  });
  expect(await consensus.leadershipView()).toEqual({
    leaderId: ID,
    leaderTerm: 3n,
    lastHeartbeatTime: new Date("2026-01-02T03:04:05.000Z"),
    replicationLag: { seconds: 1n, nanos: 500_000_000 },
  });
  expect(await consensus.canReachPrimary({ primaryHost: "db2", primaryPort: 5433 })).toEqual({
    reachable: false,
    errorMessage: "no active WAL receiver",
  });
  expect(pooler.manager.asked).toEqual([{ host: "db2", port: 5433 }]);
});
