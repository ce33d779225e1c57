import { PoolerRole, ServingStatus } from "@multipooler/controller-api";
import { encodeCommandTag, PoolerErrorCode, QueryMode } from "@multipooler/query-service";
import type { ExecuteRequest } from "@multipooler/query-service";
import { expect, test } from "vitest";
import type { FakeRequest } from "../../test/fake-backend.ts";
import { RecordingSink } from "../../test/recording-sink.ts";
import { failureOf, settled } from "../../test/settled.ts";
import { CALLER, PRIMARY, REQUEST, setUp, simple, TARGET } from "../../test/executor-scene.ts";

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
