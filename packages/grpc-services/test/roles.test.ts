import { ID_ComponentType } from "@multipooler/proto/clustermetadata";
import { PoolerType } from "@multipooler/proto/manager-v1";
import { SynchronousCommitLevel, SynchronousMethod } from "@multipooler/proto/replication-v1";
import { expect, test } from "vitest";
import { startServer } from "./test-server.ts";

const STEPS = [{ name: "promote", explanation: "have PostgreSQL end recovery", needed: true }];

test("a promotion reaches the manager with all that was asked for", async () => {
  await using pooler = await startServer();
  const standbyIds = [{ component: ID_ComponentType.MULTIPOOLER, cell: "zone1", name: "b" }];
  const answer = await pooler.client.roles.promote({
    consensusTerm: 3n,
    expectedLsn: "0/3000200",
    syncReplicationConfig: {
      synchronousCommit: SynchronousCommitLevel.SYNCHRONOUS_COMMIT_LEVEL_ON,
      synchronousMethod: SynchronousMethod.SYNCHRONOUS_METHOD_ANY,
      numSync: 1,
      standbyIds,
    },
    explain: true,
  });
  expect(answer).toEqual({
    lsnPosition: "0/3000200",
    wasAlreadyPrimary: false,
    consensusTerm: 3n,
    steps: STEPS,
  });
  const synchronous = {
    commit: "on",
    method: "any",
    count: 1,
    standbys: [{ cell: "zone1", name: "b" }],
  };
  expect(pooler.manager.asked).toEqual([
    { term: 3n, force: undefined, expectedLsn: "0/3000200", synchronous, explain: true },
  ]);
});

test("a demotion has the time to drain, or none", async () => {
  await using pooler = await startServer();
  const { roles } = pooler.client;
  const drainTimeout = { seconds: 2n, nanos: 500_000_000 };
  expect(await roles.demote({ consensusTerm: 4n, drainTimeout, forceReason: "it burns" })).toEqual({
    wasAlreadyDemoted: true,
    consensusTerm: 3n,
    lsnPosition: "",
    connectionsTerminated: 2,
    steps: [],
  });
  await roles.demote({});
  expect(pooler.manager.asked).toEqual([
    { term: 4n, force: "it burns", drainTimeoutMs: 2500, explain: false },
    { term: 0n, force: undefined, drainTimeoutMs: undefined, explain: false },
  ]);
  await expect(roles.demote({ drainTimeout: { seconds: -1n } })).rejects.toMatchObject({
    code: "INVALID_ARGUMENT",
  });
});

test("a pooler that does not serve after a change of its role says why", async () => {
  await using pooler = await startServer();
  const { roles } = pooler.client;
  const notServing = { code: "DRAINED", reason: "drained by an operator" } as const;
  pooler.manager.notServing = notServing;
  const answers = [roles.promote({}), roles.demote({}), roles.undoDemote({}), roles.changeType({})];
  for (const answer of await Promise.all(answers)) {
    expect(answer.notServing).toEqual(notServing);
  }
});

test("a demotion is undone, and a type is changed", async () => {
  await using pooler = await startServer();
  const { roles } = pooler.client;
  expect(await roles.undoDemote({})).toEqual({
    lsnPosition: "0/3000300",
    wasAlreadyPrimary: false,
    consensusTerm: 3n,
    steps: STEPS,
  });
  await roles.changeType({ poolerType: PoolerType.POOLER_TYPE_REPLICA });
  await roles.changeType({});
  expect(pooler.manager.asked).toEqual([{ explain: false }, "REPLICA", "UNKNOWN"]);
});
