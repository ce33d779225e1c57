import { getEventListeners } from "node:events";
import { PgwireError, PgwireErrorCode } from "@multipooler/pgwire";
import type { Diagnostic, ResultEvent, ResultSink } from "@multipooler/query-service";
import { expect, test } from "vitest";
import { CallScene, COMPLETE, CUT, postgresError } from "../../test/call-scene.ts";
import { FakeBackend } from "../../test/fake-backend.ts";
import { settled } from "../../test/settled.ts";
import { Taint } from "../classification/taint.ts";
import { MultiPoolerError } from "../error.ts";

test("a plain query is sent alone, and the session is given back", async () => {
  const scene = new CallScene((request) => {
    void request.write(COMPLETE);
    request.succeed();
  });
  expect(await scene.run()).toEqual({ type: "done" });
  expect(scene.sent).toEqual(["select 1"]);
  expect(scene.sink.events).toEqual([COMPLETE]);
  expect(scene.outcome).toBe("released");
  expect(getEventListeners(scene.controller.signal, "abort")).toEqual([]);
  expect(scene.clock.pending).toBe(0);
});

test("a call ends when what it may have left was taken away", async () => {
  const scene = new CallScene((request) => request.succeed());
  let isOver = false;
  const run = scene.run({ taint: Taint.State }).then((result) => {
    isOver = true;
    return result;
  });
  await settled();
  expect([scene.outcome, scene.taint, isOver, scene.ends]).toEqual([
    "released",
    Taint.State,
    false,
    0,
  ]);
  scene.cleaned.resolve();
  expect(await run).toEqual({ type: "done" });
  expect(scene.ends).toBe(1);
});

test("a COPY that the text did not show is UNIMPLEMENTED", async () => {
  const scene = new CallScene((request) => {
    request.fail(new PgwireError(PgwireErrorCode.Unsupported, "no COPY", { sent: true }));
  });
  expect(await scene.run()).toMatchObject({
    type: "failed",
    error: { code: "UNIMPLEMENTED", diagnostic: { code: "0A000" } },
  });
  expect(scene.outcome).toBe("released");
});

test("a setting that the server reports is taken away, however plain the query looked", async () => {
  const scene = new CallScene((request) => request.succeed({ settingsReported: true }));
  scene.cleaned.resolve();
  await scene.run();
  expect([scene.outcome, scene.taint]).toEqual(["released", Taint.Settings]);
});

test("a transaction that is left open is rolled back, and the call fails", async () => {
  const scene = new CallScene((request) => {
    scene.backend.transactionStatus = "T";
    request.succeed();
  });
  scene.cleaned.resolve();
  expect(await scene.run()).toMatchObject({
    type: "failed",
    error: { code: "INVALID_ARGUMENT", diagnostic: { code: "25000" } },
  });
  expect([scene.outcome, scene.taint]).toEqual(["released", Taint.State]);
});

test("an error inside such a transaction is what the call fails with", async () => {
  const scene = new CallScene((request) => {
    scene.backend.transactionStatus = "E";
    request.fail(postgresError("42601"));
  });
  scene.cleaned.resolve();
  expect(await scene.run()).toMatchObject({
    type: "failed",
    error: { code: "DATABASE_ERROR", diagnostic: { code: "42601" } },
  });
  expect([scene.outcome, scene.taint]).toEqual(["released", Taint.State]);
});

test("a query that is never sent fails after three backends", async () => {
  const scene = new CallScene();
  scene.backend.lose();
  expect(await scene.run()).toMatchObject({
    type: "failed",
    error: { code: "PRE_EXECUTION_UNAVAILABLE", diagnostic: { code: "57P03" } },
  });
  expect(scene.submissions).toBe(3);
});

test("a query that was not sent runs on another backend", async () => {
  const scene = new CallScene();
  scene.backend.lose();
  const run = scene.run();
  scene.backend = new FakeBackend((request) => request.succeed());
  expect(await run).toEqual({ type: "done" });
});

test("a call that waits is withdrawn when it is aborted", async () => {
  const scene = new CallScene();
  scene.grantsAtOnce = false;
  const run = scene.run();
  scene.controller.abort();
  expect(await run).toMatchObject({ type: "failed", error: { code: "CANCELLED" } });
  expect(scene.ends).toBe(1);
});

test("a request that was not written yet is withdrawn when its call is aborted", async () => {
  const scene = new CallScene();
  scene.backend.keepsUnsent = true;
  const run = scene.run();
  scene.controller.abort();
  expect(await run).toMatchObject({ type: "failed", error: { code: "CANCELLED" } });
  expect([scene.outcome, scene.backend.cancels, scene.ends]).toEqual(["released", [], 1]);
});

test("a call that is refused leaves no listener", async () => {
  const scene = new CallScene();
  scene.grantsAtOnce = false;
  const run = scene.run();
  scene.waiting?.refused(new MultiPoolerError("POOL_EXHAUSTED", "full"));
  expect(await run).toMatchObject({ type: "failed", error: { code: "POOL_EXHAUSTED" } });
  expect(getEventListeners(scene.controller.signal, "abort")).toEqual([]);
});

test("a connection that breaks while a statement runs leaves its outcome unknown", async () => {
  const scene = new CallScene();
  const run = scene.run();
  scene.backend.lose();
  expect(await run).toMatchObject({
    type: "failed",
    error: { code: "CONNECTION_LOST", diagnostic: { code: "08006" } },
  });
  expect(scene.backend.hasEnded).toBe(true);
});

test("what the server said before it went is kept", async () => {
  const scene = new CallScene();
  const run = scene.run();
  const diagnostic: Diagnostic = {
    kind: "error",
    severity: "FATAL",
    code: "57P01",
    message: "terminating connection due to administrator command",
  };
  scene
    .request(0)
    .fail(new PgwireError(PgwireErrorCode.ConnectionLost, "gone", { diagnostic, sent: true }));
  expect(await run).toMatchObject({ error: { code: "CONNECTION_LOST", diagnostic } });
});

test("an abort cancels the query; the session is given back when the cancel is over", async () => {
  const scene = new CallScene();
  const run = scene.run();
  scene.controller.abort();
  expect(scene.backend.cancels).toHaveLength(1);
  scene.request(0).fail(postgresError("57014"));
  await settled();
  expect(scene.outcome).toBe("held");
  scene.backend.cancels[0]?.resolve();
  expect(await run).toMatchObject({ type: "failed", error: { code: "CANCELLED" } });
  expect(scene.outcome).toBe("released");
  expect(scene.clock.pending).toBe(0);
});

test("a call that was given up fails even if the query completed", async () => {
  const scene = new CallScene();
  const run = scene.run();
  scene.controller.abort(new DOMException("too late", "TimeoutError"));
  scene.backend.cancels[0]?.resolve();
  scene.request(0).succeed();
  expect(await run).toMatchObject({ error: { code: "DEADLINE_EXCEEDED" } });
  expect(scene.outcome).toBe("released");
});

test("a query that does not end within 2 s of the cancel is cut", async () => {
  const scene = new CallScene();
  const run = scene.run();
  scene.controller.abort();
  scene.backend.cancels[0]?.resolve();
  await settled();
  scene.clock.step(1999);
  await settled();
  expect(scene.terminations).toEqual([]);
  scene.clock.step(1);
  await settled();
  expect(scene.terminations).toMatchObject([{ processId: scene.backend.processId }]);
  expect(scene.backend.hasEnded).toBe(false);
  scene.terminations[0]?.ended.resolve();
  expect(await run).toMatchObject({ error: { code: "CANCELLED" } });
  expect(scene.backend.hasEnded).toBe(true);
  expect(scene.clock.pending).toBe(0);
});

test("a process that the server does not end within another second is left to itself", async () => {
  const scene = new CallScene();
  const run = scene.run();
  scene.controller.abort();
  scene.clock.step(2000);
  await settled();
  scene.clock.step(999);
  await settled();
  expect(scene.backend.hasEnded).toBe(false);
  scene.clock.step(1);
  await run;
  expect(scene.backend.hasEnded).toBe(true);
});

test("a process is not ended once its session is over", async () => {
  const scene = new CallScene();
  const run = scene.run();
  scene.controller.abort();
  scene.backend.lose();
  await settled();
  scene.backend.cancels[0]?.reject(new Error("nobody listens"));
  await run;
  expect(scene.terminations).toEqual([]);
});

test("a cancel request that nobody takes within 2 s cuts the session", async () => {
  const scene = new CallScene();
  const run = scene.run();
  scene.controller.abort();
  scene.clock.step(2000);
  await settled();
  scene.terminations[0]?.ended.reject(new Error("nobody listens"));
  expect(await run).toMatchObject({ error: { code: "CANCELLED" } });
  expect(scene.backend.hasEnded).toBe(true);
});

test("a cancel request that fails cuts the session at once", async () => {
  const scene = new CallScene();
  const run = scene.run();
  scene.controller.abort();
  scene.backend.cancels[0]?.reject(new Error("nobody listens"));
  await settled();
  scene.terminations[0]?.ended.reject(new Error("nobody listens"));
  await run;
  expect(scene.backend.hasEnded).toBe(true);
  expect(scene.clock.pending).toBe(0);
});

test("a sink that is behind holds the backend back, until the run is aborted", async () => {
  const scene = new CallScene();
  const never = Promise.withResolvers<void>();
  const sink: ResultSink = { write: () => never.promise };
  const run = scene.run({ sink });
  const behind = scene.request(0).write(COMPLETE);
  let isBehind = true;
  void behind?.then(() => {
    isBehind = false;
  });
  await settled();
  expect(isBehind).toBe(true);
  scene.controller.abort();
  await behind;
  expect(scene.request(0).write(COMPLETE)).toBeUndefined();
  scene.request(0).fail(postgresError("57014"));
  scene.backend.cancels[0]?.resolve();
  expect(await run).toMatchObject({ error: { code: "CANCELLED" } });
});

test.each<[string, ResultSink]>([
  ["rejects", { write: () => Promise.reject(new Error("the client is gone")) }],
  [
    "throws",
    {
      write: () => {
        throw new Error("the client is gone");
      },
    },
  ],
])("a sink that %s cancels the query", async (_, sink) => {
  const scene = new CallScene();
  const run = scene.run({ sink });
  await scene.request(0).write(COMPLETE);
  expect(scene.backend.cancels).toHaveLength(1);
  expect(scene.request(0).write(COMPLETE)).toBeUndefined();
  scene.request(0).fail(postgresError("57014"));
  scene.backend.cancels[0]?.resolve();
  expect(await run).toMatchObject({
    type: "failed",
    error: { code: "CANCELLED", cause: { message: "the client is gone" } },
  });
  expect(scene.outcome).toBe("released");
});

test("a sink that rejects after the abort is nobody's business", async () => {
  const scene = new CallScene();
  const behind = Promise.withResolvers<void>();
  const run = scene.run({ sink: { write: () => behind.promise } });
  void scene.request(0).write(COMPLETE);
  scene.controller.abort(new DOMException("too late", "TimeoutError"));
  behind.reject(new Error("the client is gone"));
  scene.request(0).fail(postgresError("57014"));
  scene.backend.cancels[0]?.resolve();
  expect(await run).toMatchObject({ error: { code: "DEADLINE_EXCEEDED" } });
});

test("a statement that the pooler cut and PostgreSQL cancelled asks to be run again", async () => {
  const scene = new CallScene();
  const run = scene.run();
  scene.call?.cut(CUT);
  scene.request(0).fail(postgresError("57014"));
  scene.backend.cancels[0]?.resolve();
  expect(await run).toMatchObject({
    type: "failed",
    error: { code: "DATABASE_ERROR", diagnostic: { code: "40001" }, cause: CUT },
  });
});

test("a statement that completed before the cut could reach it has succeeded", async () => {
  const scene = new CallScene();
  const run = scene.run();
  scene.call?.cut(CUT);
  void scene.request(0).write(COMPLETE);
  scene.request(0).succeed();
  scene.backend.cancels[0]?.resolve();
  expect(await run).toEqual({ type: "done" });
  expect(scene.sink.events).toEqual([COMPLETE]);
});

test.each(["before", "after"])(
  "a statement that completed has not if its receiver fell behind %s the cut",
  async (when) => {
    const scene = new CallScene();
    const events: ResultEvent[] = [];
    const sink: ResultSink = {
      write: (event) => {
        events.push(event);
        return new Promise(() => undefined);
      },
    };
    const run = scene.run({ sink });
    if (when === "after") {
      scene.call?.cut(CUT);
    }
    const behind = scene.request(0).write(COMPLETE);
    if (when === "before") {
      scene.call?.cut(CUT);
    }
    await behind;
    expect(scene.request(0).write(COMPLETE)).toBeUndefined();
    expect(events).toEqual([COMPLETE]);
    scene.request(0).succeed();
    scene.backend.cancels[0]?.resolve();
    expect(await run).toMatchObject({
      type: "failed",
      error: { code: "CONNECTION_LOST", diagnostic: { code: "08006" } },
    });
  },
);

test("a statement that had to be cut with its socket has an unknown outcome", async () => {
  const scene = new CallScene();
  const run = scene.run();
  scene.call?.cut(CUT);
  scene.clock.step(2000);
  await settled();
  scene.terminations[0]?.ended.resolve();
  expect(await run).toMatchObject({ error: { code: "CONNECTION_LOST" } });
  expect(scene.backend.hasEnded).toBe(true);
});
