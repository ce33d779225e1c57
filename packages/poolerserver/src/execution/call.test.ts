import { getEventListeners } from "node:events";
import type { Diagnostic, ResultEvent, ResultSink } from "@multipooler/controller-api";
import { PgwireError, PgwireErrorCode } from "@multipooler/pgwire";
import { ManualClock } from "@multipooler/timing/testing";
import { expect, test } from "vitest";
import { FakeBackend } from "../test/fake-backend.ts";
import type { FakeRequest } from "../test/fake-backend.ts";
import { RecordingSink } from "../test/recording-sink.ts";
import { settled } from "../test/settled.ts";
import { BackendRun } from "./backend-run.ts";
import type { RunOptions, RunResult } from "./backend-run.ts";
import { MultiPoolerError } from "./error.ts";

const COMPLETE: ResultEvent = { type: "complete", commandTag: "SELECT 1" };
const CUT = new MultiPoolerError("NOT_SERVING", "this pooler is becoming NOT_SERVING");

/** A run on a fake session, and what became of the session. */
class Scene {
  readonly clock = new ManualClock();
  readonly controller = new AbortController();
  readonly sink = new RecordingSink();
  readonly backend: FakeBackend;
  readonly terminations: { processId: number; ended: PromiseWithResolvers<void> }[] = [];
  outcome: "held" | "released" | "discarded" = "held";

  constructor(onQuery?: (request: FakeRequest) => void) {
    this.backend = new FakeBackend(onQuery);
  }

  run(options: Partial<RunOptions> = {}): Promise<RunResult> {
    const lease = {
      backend: this.backend,
      release: () => {
        this.outcome = "released";
      },
      discard: (reason: unknown) => {
        this.outcome = "discarded";
        this.backend.destroy(reason);
      },
    };
    return new BackendRun(lease, {
      sql: "select 1",
      residue: "none",
      sink: this.sink,
      signal: this.controller.signal,
      clock: this.clock,
      terminate: (processId) => {
        const ended = Promise.withResolvers<void>();
        this.terminations.push({ processId, ended });
        return ended.promise;
      },
      ...options,
    }).run();
  }

  get sent(): string[] {
    return this.backend.requests.map(({ sql }) => sql.split(";")[0] ?? "");
  }

  request(index: number): FakeRequest {
    const found = this.backend.requests[index];
    if (found === undefined) {
      throw new Error(`request ${index} was not sent`);
    }
    return found;
  }
}

function postgresError(code: string): PgwireError {
  const diagnostic: Diagnostic = { kind: "error", severity: "ERROR", code, message: "no" };
  return new PgwireError(PgwireErrorCode.Postgres, "no", { diagnostic, sent: true });
}

test("a plain query is sent alone, and the session is given back", async () => {
  const scene = new Scene((request) => {
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

test("what may leave something behind is followed by a reset before its answer is there", async () => {
  const scene = new Scene();
  const run = scene.run({ sql: "set x.y = 1", residue: "state" });
  expect(scene.sent).toEqual(["set x.y = 1", "CLOSE ALL"]);
  scene.request(0).succeed();
  await settled();
  expect(scene.outcome).toBe("held");
  scene.request(1).succeed();
  expect(await run).toEqual({ type: "done" });
  expect(scene.outcome).toBe("released");
});

test("nothing is sent behind a COPY until it is over", async () => {
  const scene = new Scene();
  const run = scene.run({ sql: "copy t from stdin", residue: "copy" });
  expect(scene.sent).toEqual(["copy t from stdin"]);
  scene.request(0).fail(new PgwireError(PgwireErrorCode.Unsupported, "no COPY", { sent: true }));
  await settled();
  expect(scene.sent).toEqual(["copy t from stdin", "CLOSE ALL"]);
  scene.request(1).succeed();
  expect(await run).toMatchObject({
    type: "failed",
    error: { code: "UNIMPLEMENTED", diagnostic: { code: "0A000" } },
  });
  expect(scene.outcome).toBe("released");
});

test("a setting that the server reports leads to a reset, however plain the query looked", async () => {
  const scene = new Scene((request) => {
    if (request.sql === "select 1") {
      void request.write({ type: "parameterStatus", name: "TimeZone", value: "UTC" });
    }
    request.succeed();
  });
  await scene.run();
  expect(scene.sent).toEqual(["select 1", "CLOSE ALL"]);
  expect(scene.outcome).toBe("released");
});

test("a session that could not be reset is not used again", async () => {
  const scene = new Scene((request) => {
    if (request.sql === "set x.y = 1") {
      request.succeed();
    } else {
      request.fail(postgresError("57014"));
    }
  });
  expect(await scene.run({ sql: "set x.y = 1", residue: "state" })).toEqual({ type: "done" });
  expect(scene.outcome).toBe("discarded");
});

test("a session with a residue that lasts is not used again", async () => {
  const scene = new Scene((request) => request.succeed());
  expect(await scene.run({ residue: "lasting" })).toEqual({ type: "done" });
  expect(scene.outcome).toBe("discarded");
});

test("a session whose read-only default is another one afterwards is not used again", async () => {
  const scene = new Scene((request) => {
    scene.backend.parameters.set("default_transaction_read_only", "off");
    request.succeed();
  });
  scene.backend.parameters.set("default_transaction_read_only", "on");
  await scene.run();
  expect(scene.outcome).toBe("discarded");
});

test("a transaction that is left open is rolled back, and the caller is told", async () => {
  const scene = new Scene((request) => {
    const { backend } = scene;
    backend.transactionStatus = request.sql === "ROLLBACK" ? "I" : backend.transactionStatus;
    if (request.sql === "begin") {
      backend.transactionStatus = "T";
    }
    request.succeed();
  });
  expect(await scene.run({ sql: "begin", residue: "state" })).toMatchObject({
    type: "failed",
    error: { code: "INVALID_ARGUMENT", diagnostic: { code: "25000" } },
  });
  expect(scene.sent).toEqual(["begin", "CLOSE ALL", "ROLLBACK", "CLOSE ALL"]);
  expect(scene.outcome).toBe("released");
});

test("an error inside such a transaction is what the caller is told", async () => {
  const scene = new Scene((request) => {
    if (request.sql === "ROLLBACK") {
      scene.backend.transactionStatus = "I";
    }
    if (request.sql !== "begin; nonsense") {
      return request.succeed();
    }
    scene.backend.transactionStatus = "E";
    return request.fail(postgresError("42601"));
  });
  expect(await scene.run({ sql: "begin; nonsense", residue: "state" })).toMatchObject({
    type: "failed",
    error: { code: "DATABASE_ERROR", diagnostic: { code: "42601" } },
  });
  expect(scene.outcome).toBe("released");
});

test("a query that was certainly not sent can be repeated", async () => {
  const scene = new Scene();
  scene.backend.lose();
  expect(await scene.run()).toMatchObject({
    type: "unsent",
    error: { code: "PRE_EXECUTION_UNAVAILABLE", diagnostic: { code: "57P03" } },
  });
});

test("a connection that breaks while a statement runs leaves its outcome unknown", async () => {
  const scene = new Scene();
  const run = scene.run();
  scene.backend.lose();
  expect(await run).toMatchObject({
    type: "failed",
    error: { code: "CONNECTION_LOST", diagnostic: { code: "08006" } },
  });
  expect(scene.backend.hasEnded).toBe(true);
});

test("what the server said before it went is kept", async () => {
  const scene = new Scene();
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

test("an aborted run does not begin", async () => {
  const scene = new Scene();
  scene.controller.abort();
  expect(await scene.run()).toMatchObject({ type: "failed", error: { code: "CANCELLED" } });
  expect(scene.sent).toEqual([]);
  expect(scene.outcome).toBe("released");
});

test("an abort cancels the query; the session is given back when the cancel is over", async () => {
  const scene = new Scene();
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

test("a caller who gave up is told so even if the query completed", async () => {
  const scene = new Scene();
  const run = scene.run();
  scene.controller.abort(new DOMException("too late", "TimeoutError"));
  scene.backend.cancels[0]?.resolve();
  scene.request(0).succeed();
  expect(await run).toMatchObject({ error: { code: "DEADLINE_EXCEEDED" } });
  expect(scene.outcome).toBe("released");
});

test("a reset that may have been cancelled instead of the query is not trusted", async () => {
  const scene = new Scene();
  const run = scene.run({ sql: "set x.y = 1", residue: "state" });
  scene.controller.abort();
  scene.request(0).succeed();
  scene.request(1).fail(postgresError("57014"));
  scene.backend.cancels[0]?.resolve();
  await run;
  expect(scene.outcome).toBe("discarded");
});

test("a query that does not end within 2 s of the cancel is cut", async () => {
  const scene = new Scene();
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
  const scene = new Scene();
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
  const scene = new Scene();
  const run = scene.run();
  scene.controller.abort();
  scene.backend.lose();
  await settled();
  scene.backend.cancels[0]?.reject(new Error("nobody listens"));
  await run;
  expect(scene.terminations).toEqual([]);
});

test("a cancel request that nobody takes within 2 s cuts the session", async () => {
  const scene = new Scene();
  const run = scene.run();
  scene.controller.abort();
  scene.clock.step(2000);
  await settled();
  scene.terminations[0]?.ended.reject(new Error("nobody listens"));
  expect(await run).toMatchObject({ error: { code: "CANCELLED" } });
  expect(scene.backend.hasEnded).toBe(true);
});

test("a cancel request that fails cuts the session at once", async () => {
  const scene = new Scene();
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
  const scene = new Scene();
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
  const scene = new Scene();
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
  const scene = new Scene();
  const behind = Promise.withResolvers<void>();
  const run = scene.run({ sink: { write: () => behind.promise } });
  void scene.request(0).write(COMPLETE);
  scene.controller.abort(new DOMException("too late", "TimeoutError"));
  behind.reject(new Error("the client is gone"));
  scene.request(0).fail(postgresError("57014"));
  scene.backend.cancels[0]?.resolve();
  expect(await run).toMatchObject({ error: { code: "DEADLINE_EXCEEDED" } });
});

test("a statement that the pooler cut and PostgreSQL cancelled is told to be run again", async () => {
  const scene = new Scene();
  const run = scene.run();
  scene.controller.abort(CUT);
  scene.request(0).fail(postgresError("57014"));
  scene.backend.cancels[0]?.resolve();
  expect(await run).toMatchObject({
    type: "failed",
    error: { code: "DATABASE_ERROR", diagnostic: { code: "40001" }, cause: CUT },
  });
});

test("a statement that completed before the cut could reach it has succeeded", async () => {
  const scene = new Scene();
  const run = scene.run();
  scene.controller.abort(CUT);
  void scene.request(0).write(COMPLETE);
  scene.request(0).succeed();
  scene.backend.cancels[0]?.resolve();
  expect(await run).toEqual({ type: "done" });
  expect(scene.sink.events).toEqual([COMPLETE]);
});

test.each(["before", "after"])(
  "a statement that completed has not if its receiver fell behind %s the cut",
  async (when) => {
    const scene = new Scene();
    const events: ResultEvent[] = [];
    const sink: ResultSink = {
      write: (event) => {
        events.push(event);
        return new Promise(() => undefined);
      },
    };
    const run = scene.run({ sink });
    if (when === "after") {
      scene.controller.abort(CUT);
    }
    const behind = scene.request(0).write(COMPLETE);
    if (when === "before") {
      scene.controller.abort(CUT);
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
  const scene = new Scene();
  const run = scene.run();
  scene.controller.abort(CUT);
  scene.clock.step(2000);
  await settled();
  scene.terminations[0]?.ended.resolve();
  expect(await run).toMatchObject({ error: { code: "CONNECTION_LOST" } });
  expect(scene.backend.hasEnded).toBe(true);
});
