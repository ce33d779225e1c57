import { PoolerRole, ServingStatus } from "@multipooler/controller-api";
import type { ServingTarget } from "@multipooler/controller-api";
import { SimpleQuery } from "@multipooler/pgwire";
import { encodeCommandTag, PoolerErrorCode, QueryMode } from "@multipooler/query-service";
import type { ExecuteRequest } from "@multipooler/query-service";
import { expect, test } from "vitest";
import type { FakeRequest } from "../../test/fake-backend.ts";
import { RecordingSink } from "../../test/recording-sink.ts";
import { setUp as setUpScheduler } from "../../test/scheduler-scene.ts";
import type { SchedulerScene } from "../../test/scheduler-scene.ts";
import { failureOf, settled } from "../../test/settled.ts";
import { soleUser } from "../../test/sole-user.ts";
import { noChannels } from "../../test/no-channels.ts";
import { silentLogger } from "../../test/silent-logger.ts";
import { Classifier } from "../classification/classifier.ts";
import type { ServerProcesses } from "../pool/silence-watch.ts";
import { Sessions } from "../session/sessions.ts";
import { Labels } from "../pool/labels.ts";
import { ServingGate } from "../serving/serving-gate.ts";
import { StatementRegistry } from "../statements/statement-registry.ts";
import { checkHealth } from "./health-check.ts";
import { QueryExecutor } from "./query-executor.ts";
import { ReservationIds } from "../reservations/reservation-ids.ts";
import { Reservations } from "../reservations/reservations.ts";

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
const LONG = "select pg_sleep(10)";
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
  const engine = { scheduler, clock, terminate, registry: new StatementRegistry() };
  const logger = silentLogger;
  const labels = new Labels({ user: served.user, settingsCacheSize: 10 });
  const sessions = new Sessions({
    channels: noChannels,
    ...engine,
    scheduler: soleUser(scheduler),
    served,
    gate,
    classifier,
    labels,
    logger,
  });
  const credentials = { get: () => Promise.resolve(undefined) };
  const reservations = new Reservations({
    engine,
    ids: new ReservationIds(clock),
    gate,
    inactivityTimeoutMs: 30_000,
    clock,
    logger,
  });
  const notifications = { subscribe: noNotifications };
  const services = { sessions, credentials, notifications, reservations, labels };
  const executor = new QueryExecutor({ ...engine, served, gate, classifier, ...services });
  await gate.setTarget(target, undefined);
  return {
    ...scene,
    executor,
    gate,
    check: (signal) => checkHealth(engine, { expectsWrites: false, signal }),
  };
}

function noNotifications(): never {
  throw new Error("nobody listens here");
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
    "a reservation without a reason",
    { place: { type: "reserve", reasons: 0 } },
    { code: "INVALID_ARGUMENT", message: expect.stringMatching(/from 1 to 255, not 0/) },
  ],
  [
    "a reservation for a reason that nobody knows",
    { place: { type: "reserve", reasons: 256 } },
    { code: "INVALID_ARGUMENT", message: expect.stringMatching(/from 1 to 255, not 256/) },
  ],
  [
    "a transaction that something else begins",
    { place: { type: "reserve", reasons: 1, begin: "select 1" } },
    { code: "INVALID_ARGUMENT", message: expect.stringMatching(/"select 1" does not/) },
  ],
  [
    "a reserved COPY",
    {
      place: { type: "reserve", reasons: 1 },
      statement: { type: "simple", sql: "copy t to stdout" },
    },
    { code: "UNIMPLEMENTED", diagnostic: { code: "0A000" } },
  ],
  [
    "a setting with a NUL character",
    { caller: { ...CALLER, settings: new Map([["work_mem", "1MB\0"]]) } },
    { code: "INVALID_ARGUMENT", message: expect.stringContaining('"work_mem"') },
  ],
  [
    "a parse",
    { statement: { type: "parse", sql: "select 1", parameterTypes: [] } },
    { code: "INVALID_ARGUMENT", message: "eager unnamed Parse requires a reserved transaction" },
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
  expect(server.backends[0]?.requests.map(({ sql }) => sql)).toEqual([
    "show transaction_read_only",
  ]);
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

test("a transaction begins in the write of its first statement", async () => {
  const begins = (request: FakeRequest): void => {
    void request.write({ type: "complete", bytes: encodeCommandTag("BEGIN") });
    request.succeed();
  };
  const { executor, server } = await setUp({ onRequest: begins });
  const { reservation } = await executor.streamExecute(
    { ...simple("insert into t values (1)"), place: { type: "reserve", reasons: 1 } },
    new RecordingSink(),
  );
  expect(reservation).toMatchObject({ reasons: 1 });
  const texts = server.backends.flatMap(({ requests }) => requests.map((request) => request.texts));
  expect(texts).toEqual([["BEGIN", "insert into t values (1)"]]);
});

test("a reservation that was not sent begins on another session", async () => {
  const { executor, server } = await setUp({
    onRequest: (request) => {
      void request.write({ type: "complete", bytes: encodeCommandTag("BEGIN") });
      request.succeed();
    },
  });
  server.opensDeadSessions = true;
  const place = { type: "reserve", reasons: 1 } as const;
  const call = executor.streamExecute({ ...REQUEST, place }, new RecordingSink());
  server.opensDeadSessions = false;
  expect(await call).toMatchObject({ reservation: { reasons: 1 } });
  expect(server.backends.length).toBeGreaterThan(1);
});

test("transactions that hold every session do not fail the health check", async () => {
  const { executor, check, clock } = await setUp();
  const place = { type: "reserve", reasons: 2 } as const;
  await executor.streamExecute({ ...REQUEST, place }, new RecordingSink());
  clock.step(10_000);
  const controller = new AbortController();
  const checked = check(controller.signal);
  controller.abort(new DOMException("", "TimeoutError"));
  expect(await checked).toBeUndefined();
});

test("statements of a transaction that holds every session are signs of life", async () => {
  const { executor, check, clock, server } = await setUp({
    onRequest: (request) => {
      if (request.sql !== LONG) {
        request.succeed();
      }
    },
  });
  const reserve = { type: "reserve", reasons: 2 } as const;
  const { reservation } = await executor.streamExecute(
    { ...REQUEST, place: reserve },
    new RecordingSink(),
  );
  const place = { type: "reserved", id: reservation?.id ?? 0n } as const;
  for (let second = 0; second < 10; second += 1) {
    await executor.streamExecute({ ...REQUEST, place }, new RecordingSink());
    clock.step(1000);
  }
  const [backend] = server.backends;
  backend?.send(
    new SimpleQuery({ sql: LONG, receiver: { event: () => undefined, settle: () => undefined } }),
  );
  const controller = new AbortController();
  const checked = check(controller.signal);
  controller.abort(new DOMException("", "TimeoutError"));
  expect(await checked).toBeUndefined();
});
