import { ServingStatus } from "@multipooler/controller-api";
import { SimpleQuery } from "@multipooler/pgwire";
import { expect, test } from "vitest";
import type { FakeRequest } from "../../test/fake-backend.ts";
import { RecordingSink } from "../../test/recording-sink.ts";
import { failureOf, settled } from "../../test/settled.ts";
import { CALLER, LONG, PRIMARY, REQUEST, setUp } from "../../test/executor-scene.ts";

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
