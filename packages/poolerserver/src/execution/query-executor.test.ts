import { PoolerRole, ServingStatus } from "@multipooler/controller-api";
import type { ServingTarget } from "@multipooler/controller-api";
import { PoolerErrorCode, QueryMode } from "@multipooler/query-service";
import type { ExecuteRequest } from "@multipooler/query-service";
import { expect, test } from "vitest";
import type { FakeRequest } from "../../test/fake-backend.ts";
import { RecordingSink } from "../../test/recording-sink.ts";
import { setUp as setUpScheduler } from "../../test/scheduler-scene.ts";
import type { SchedulerScene } from "../../test/scheduler-scene.ts";
import { failureOf, settled } from "../../test/settled.ts";
import { silentLogger } from "../../test/silent-logger.ts";
import { Classifier } from "../classification/classifier.ts";
import type { ServerProcesses } from "../pool/silence-watch.ts";
import { Sessions } from "../session/sessions.ts";
import { ServingGate } from "../serving/serving-gate.ts";
import { checkHealth } from "./health-check.ts";
import { QueryExecutor } from "./query-executor.ts";

const PRIMARY: ServingTarget = {
  status: ServingStatus.Serving,
  role: PoolerRole.Primary,
  reason: "the test wants it",
};
const REQUEST: ExecuteRequest = {
  caller: { user: "", settings: new Map(), origin: "" },
  place: { type: "any" },
  statement: { type: "simple", sql: "select 1" },
};
const { caller: CALLER } = REQUEST;
const TARGET = { database: "", tableGroup: "", shard: "", mode: QueryMode.Unspecified };

interface Scene extends SchedulerScene {
  readonly executor: QueryExecutor;
  readonly gate: ServingGate;
  readonly check: (signal: AbortSignal) => Promise<void>;
}

async function setUp(
  options: {
    target?: ServingTarget;
    onRequest?: (request: FakeRequest) => void;
    activities?: ServerProcesses["activities"];
  } = {},
): Promise<Scene> {
  const { target = PRIMARY, onRequest = (request) => request.succeed() } = options;
  const { activities = () => Promise.reject(new Error("nobody to ask")) } = options;
  const scene = setUpScheduler({
    onRequest,
    processes: { activities, endIdle: () => Promise.resolve() },
    capacity: 1,
    limit: 1,
    idleTimeoutMs: 0,
    maxLifetimeMs: 0,
    waitTimeoutMs: 0,
  });
  const { clock, pool: scheduler } = scene;
  const gate = new ServingGate({
    drainGraceMs: 3000,
    isOpen: () => true,
    prepare: () => undefined,
    clock,
    logger: silentLogger,
  });
  const served = { database: "app", tableGroup: "default", shard: "0-inf", user: "app_user" };
  const terminate = (): Promise<void> => Promise.resolve();
  const classifier = new Classifier({ admin: () => Promise.resolve([]) });
  const engine = { scheduler, clock, terminate };
  const logger = silentLogger;
  const sessions = new Sessions({ ...engine, served, gate, classifier, logger });
  const credentials = { get: () => Promise.resolve(undefined) };
  const executor = new QueryExecutor({
    ...engine,
    served,
    gate,
    classifier,
    sessions,
    credentials,
  });
  await gate.setTarget(target, undefined);
  return { ...scene, executor, gate, check: (signal) => checkHealth(engine, signal) };
}

/** A request with another statement. */
function simple(sql: string): ExecuteRequest {
  return { ...REQUEST, statement: { type: "simple", sql } };
}

test.each<[string, Partial<ExecuteRequest>, object]>([
  ["another table group", { target: { ...TARGET, tableGroup: "other" } }, { code: "WRONG_TARGET" }],
  ["another shard", { target: { ...TARGET, shard: "inf-inf" } }, { code: "WRONG_TARGET" }],
  ["another database", { target: { ...TARGET, database: "other" } }, { code: "WRONG_TARGET" }],
  [
    "another user",
    { caller: { ...CALLER, user: "somebody" } },
    { code: "UNIMPLEMENTED", message: expect.stringMatching(/"somebody".*"app_user"/) },
  ],
  [
    "a reservation",
    { place: { type: "reserved", id: 1_764_000_000_000_000_001n } },
    {
      code: "RESERVATION_LOST",
      diagnostic: {
        code: "40001",
        detail: "reserved connection 1764000000000000001 was terminated",
      },
    },
  ],
  [
    "a new reservation",
    { place: { type: "reserve", reasons: 1, pins: [] } },
    { code: "UNIMPLEMENTED", message: expect.stringMatching(/reservation/) },
  ],
  [
    "settings",
    { caller: { ...CALLER, settings: new Map([["work_mem", "1MB"]]) } },
    { code: "UNIMPLEMENTED", message: expect.stringMatching(/settings.*work_mem/) },
  ],
  [
    "keys",
    { caller: { ...CALLER, keys: { clientKey: Buffer.of(1), serverKey: Buffer.of(2) } } },
    { code: "UNIMPLEMENTED", message: expect.stringMatching(/keys/) },
  ],
  [
    "a parse",
    { statement: { type: "parse", sql: "select 1", parameterTypes: [] } },
    { code: "UNIMPLEMENTED", message: expect.stringMatching(/parsed/) },
  ],
  [
    "a COPY",
    { statement: { type: "simple", sql: "insert into t values (1); copy t to stdout" } },
    { code: "UNIMPLEMENTED", diagnostic: { code: "0A000" } },
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
  await executor.streamExecute(
    { ...REQUEST, target, caller: { ...CALLER, user: "app_user" } },
    sink,
  );
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
  const call = executor.streamExecute(simple("begin read write"), new RecordingSink());
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
  const { executor, gate } = await setUp({ onRequest: (request) => requests.push(request) });
  const call = executor.streamExecute(simple("set x.y = 1"), new RecordingSink());
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
    onRequest: (request) => requests.push(request),
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

test("a call that has aborted does not begin", async () => {
  const { executor, server } = await setUp();
  const call = executor.streamExecute(REQUEST, new RecordingSink(), {
    signal: AbortSignal.abort(),
  });
  expect(await failureOf(call)).toMatchObject({ code: PoolerErrorCode.Cancelled });
  expect(server.backends).toEqual([]);
});

test("the health check is not subject to admission", async () => {
  const { check, server } = await setUp({
    target: { ...PRIMARY, status: ServingStatus.NotServing },
  });
  await check(new AbortController().signal);
  expect(server.backends[0]?.requests.map(({ sql }) => sql)).toEqual(["select 1"]);
});

test("a flood does not fail the health check while statements are answered", async () => {
  const requests: FakeRequest[] = [];
  const { executor, check, clock } = await setUp({
    onRequest: (request) => requests.push(request),
  });
  const calls = Array.from({ length: 20 }, (_, client) =>
    executor.streamExecute(
      { ...REQUEST, caller: { ...CALLER, origin: `${client}` } },
      new RecordingSink(),
    ),
  );
  const deadline = new AbortController();
  const checked = check(deadline.signal);
  await settled();
  requests[0]?.succeed();
  await settled();
  clock.step(1000);
  deadline.abort(new DOMException("too late", "TimeoutError"));
  await checked;
  clock.step(3001);
  const later = new AbortController();
  const failed = failureOf(check(later.signal));
  later.abort(new DOMException("too late", "TimeoutError"));
  expect(await failed).toMatchObject({ code: "POOL_EXHAUSTED" });
  while (requests.length > 0) {
    requests.shift()?.succeed();
    await settled();
  }
  await Promise.all(calls);
});

test("long statements do not fail the health check while the server works on them", async () => {
  const requests: FakeRequest[] = [];
  const { executor, check, clock } = await setUp({
    onRequest: (request) => requests.push(request),
    activities: (processIds) =>
      Promise.resolve(processIds.map((processId) => ({ processId, idleMs: undefined }))),
  });
  const call = executor.streamExecute(REQUEST, new RecordingSink());
  const deadline = new AbortController();
  const checked = check(deadline.signal);
  await clock.advance(60_000);
  deadline.abort(new DOMException("too late", "TimeoutError"));
  expect(await checked).toBeUndefined();
  requests[0]?.succeed();
  await call;
});

test("a check that got no answer says so, and earlier signs of life count no more", async () => {
  const requests: FakeRequest[] = [];
  const { check, server } = await setUp({ onRequest: (request) => requests.push(request) });
  const deadline = new AbortController();
  const failed = failureOf(check(deadline.signal));
  await settled();
  deadline.abort(new DOMException("too late", "TimeoutError"));
  expect(await failed).toMatchObject({ code: "DEADLINE_EXCEEDED" });
  const later = new AbortController();
  const exhausted = failureOf(check(later.signal));
  later.abort(new DOMException("too late", "TimeoutError"));
  expect(await exhausted).toMatchObject({ code: "POOL_EXHAUSTED" });
  server.backends[0]?.lose();
});
