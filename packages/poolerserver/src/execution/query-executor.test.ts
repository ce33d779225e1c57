import { PoolerRole, QueryMode, ServingStatus } from "@multipooler/controller-api";
import type { ServingTarget, StreamExecuteRequest } from "@multipooler/controller-api";
import { ManualClock } from "@multipooler/timing/testing";
import { expect, test } from "vitest";
import { CountingBudget } from "../test/counting-budget.ts";
import type { FakeRequest } from "../test/fake-backend.ts";
import { FakeServer } from "../test/fake-server.ts";
import { RecordingSink } from "../test/recording-sink.ts";
import { failureOf, settled } from "../test/settled.ts";
import { silentLogger } from "../test/silent-logger.ts";
import { Pool } from "./pool.ts";
import { QueryExecutor } from "./query-executor.ts";
import { ServingGate } from "./serving-gate.ts";

const PRIMARY: ServingTarget = {
  status: ServingStatus.Serving,
  role: PoolerRole.Primary,
  reason: "the test wants it",
};
const REQUEST: StreamExecuteRequest = {
  sql: "select 1",
  target: undefined,
  user: "",
  reservedConnectionId: 0n,
};
const TARGET = { database: "", tableGroup: "", shard: "", mode: QueryMode.Unspecified };

async function setUp(
  options: { target?: ServingTarget; onQuery?: (request: FakeRequest) => void } = {},
): Promise<{ executor: QueryExecutor; server: FakeServer; gate: ServingGate; clock: ManualClock }> {
  const { target = PRIMARY, onQuery = (request) => request.succeed() } = options;
  const clock = new ManualClock();
  const server = new FakeServer({ acceptsAtOnce: true, onQuery });
  const gate = new ServingGate({
    drainGraceMs: 3000,
    isOpen: () => true,
    prepare: () => undefined,
    clock,
    logger: silentLogger,
  });
  const pool = new Pool(
    {
      openBackend: server.open,
      capacity: 1,
      budget: new CountingBudget(1),
      idleTimeoutMs: 0,
      maxLifetimeMs: 0,
      waitTimeoutMs: 0,
      closeGraceMs: 0,
      clock,
      random: () => 0,
      logger: silentLogger,
    },
    "read-write",
  );
  const served = { database: "app", tableGroup: "default", shard: "0-inf", user: "app_user" };
  const terminate = (): Promise<void> => Promise.resolve();
  const executor = new QueryExecutor({ served, gate, pool, clock, terminate });
  await gate.setTarget(target, undefined);
  return { executor, server, gate, clock };
}

test.each<[string, Partial<StreamExecuteRequest>, object]>([
  ["another table group", { target: { ...TARGET, tableGroup: "other" } }, { code: "WRONG_TARGET" }],
  ["another shard", { target: { ...TARGET, shard: "inf-inf" } }, { code: "WRONG_TARGET" }],
  ["another database", { target: { ...TARGET, database: "other" } }, { code: "WRONG_TARGET" }],
  [
    "another user",
    { user: "somebody" },
    { code: "UNIMPLEMENTED", message: expect.stringMatching(/"somebody".*"app_user"/) },
  ],
  [
    "a reservation",
    { reservedConnectionId: 1_764_000_000_000_000_001n },
    {
      code: "RESERVATION_LOST",
      diagnostic: {
        code: "40001",
        detail: "reserved connection 1764000000000000001 was terminated",
      },
    },
  ],
])("a request for %s is refused before anything is sent", async (_, change, error) => {
  const { executor, server } = await setUp();
  const call = executor.streamExecute({ ...REQUEST, ...change }, new RecordingSink());
  expect(await failureOf(call)).toMatchObject({ name: "PoolerError", ...error });
  expect(server.backends).toEqual([]);
});

test("the names of what it serves are accepted, as are empty ones", async () => {
  const { executor, server } = await setUp();
  const target = { ...TARGET, database: "app", tableGroup: "default", shard: "0-inf" };
  const sink = new RecordingSink();
  await executor.streamExecute({ ...REQUEST, target, user: "app_user" }, sink);
  await executor.streamExecute({ ...REQUEST, target: TARGET }, sink);
  expect(server.backends[0]?.requests).toHaveLength(2);
});

test("a mode that needs the primary is refused by a replica", async () => {
  const { executor } = await setUp({ target: { ...PRIMARY, role: PoolerRole.Replica } });
  for (const mode of [QueryMode.Writable, QueryMode.Consistent]) {
    const call = executor.streamExecute(
      { ...REQUEST, target: { ...TARGET, mode } },
      new RecordingSink(),
    );
    expect(await failureOf(call)).toMatchObject({ code: "NOT_SERVING" });
  }
});

test("what would end read-only mode is refused before anything is sent", async () => {
  const { executor, server } = await setUp({
    target: { ...PRIMARY, status: ServingStatus.ServingReadOnly },
  });
  const call = executor.streamExecute({ ...REQUEST, sql: "begin read write" }, new RecordingSink());
  expect(await failureOf(call)).toMatchObject({ code: "READ_ONLY", diagnostic: { code: "25006" } });
  expect(server.backends).toEqual([]);
});

test("a query that was not sent runs on another session", async () => {
  const { executor, server } = await setUp();
  await executor.streamExecute(REQUEST, new RecordingSink());
  server.backends[0]?.lose();
  await executor.streamExecute(REQUEST, new RecordingSink());
  expect(server.backends).toHaveLength(2);
});

test("a query that is never sent fails after three sessions", async () => {
  const { executor, server } = await setUp();
  server.opensDeadSessions = true;
  const call = executor.streamExecute(REQUEST, new RecordingSink());
  expect(await failureOf(call)).toMatchObject({ code: "PRE_EXECUTION_UNAVAILABLE" });
  expect(server.backends).toHaveLength(3);
});

test("a drain waits until the session was given back", async () => {
  const requests: FakeRequest[] = [];
  const { executor, gate } = await setUp({ onQuery: (request) => requests.push(request) });
  const call = executor.streamExecute({ ...REQUEST, sql: "set x.y = 1" }, new RecordingSink());
  await settled();
  const leaving = gate.setTarget({ ...PRIMARY, status: ServingStatus.NotServing }, undefined);
  requests[0]?.succeed();
  await settled();
  expect(gate.state.current).toBe(PRIMARY);
  requests[1]?.succeed();
  await call;
  await leaving;
  expect(gate.state.current.status).toBe("NOT_SERVING");
});

test("a request that still waits for a session when a drain ends can be retried elsewhere", async () => {
  const requests: FakeRequest[] = [];
  const { executor, gate, server, clock } = await setUp({
    onQuery: (request) => requests.push(request),
  });
  const running = failureOf(executor.streamExecute(REQUEST, new RecordingSink()));
  await settled();
  const waiting = failureOf(executor.streamExecute(REQUEST, new RecordingSink()));
  const leaving = gate.setTarget({ ...PRIMARY, status: ServingStatus.NotServing }, undefined);
  await settled();
  clock.step(3000);
  expect(await waiting).toMatchObject({ code: "NOT_SERVING" });
  server.backends[0]?.cancels[0]?.reject(new Error("nobody listens"));
  expect(await running).toMatchObject({ code: "CONNECTION_LOST" });
  await leaving;
});

test("the probe is not subject to admission", async () => {
  const { executor, server } = await setUp({
    target: { ...PRIMARY, status: ServingStatus.NotServing },
  });
  await executor.probe(new AbortController().signal);
  expect(server.backends[0]?.requests.map(({ sql }) => sql)).toEqual(["select 1"]);
});
