import assert from "node:assert/strict";
import { PoolerErrorCode } from "@multipooler/query-service";
import { ManualClock } from "@multipooler/timing/testing";
import { expect, test } from "vitest";
import { RecordingLogger } from "../../test/recording-logger.ts";
import { QueryPathMonitor } from "./query-path-monitor.ts";
import type { QueryPathHealth } from "./query-path-monitor.ts";

type Answer = PoolerErrorCode | "healthy" | "healthy at the deadline" | "never";

/** A controller that answers as the test says. Disposing checks that nothing is left. */
class Fixture implements AsyncDisposable {
  readonly clock: ManualClock = new ManualClock();
  readonly logger: RecordingLogger = new RecordingLogger();
  readonly changes: QueryPathHealth[] = [];
  answer: Answer = "healthy";
  holdsConnections = true;
  sqlState: string | undefined;
  faults = 0;
  readonly monitor: QueryPathMonitor = new QueryPathMonitor({
    ask: ({ signal }) => this.#ask(signal),
    holdsConnections: () => this.holdsConnections,
    intervalMs: 1_000,
    clock: this.clock,
    logger: this.logger,
    onChange: () => this.changes.push(this.monitor.health),
    onFault: () => {
      this.faults += 1;
    },
  });

  /** How many answers of this kind in a row it takes until the path is broken. */
  async answersUntilBroken(answer: Answer): Promise<number> {
    this.monitor.open();
    await this.clock.advance(0);
    assert.deepEqual(this.changes, [{ state: "working" }]);
    this.answer = answer;
    for (let answers = 1; answers <= 30; answers += 1) {
      // One that never comes takes a second of its own.
      await this.clock.advance(answer === "never" ? 2_250 : 1_000);
      if (this.monitor.health.state === "broken") {
        return answers;
      }
    }
    return Infinity;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.monitor.close();
    assert.equal(this.clock.pending, 0, "no timer is left");
  }

  #ask(signal: AbortSignal | undefined): Promise<void> {
    switch (this.answer) {
      case "healthy":
        return Promise.resolve();
      case "never":
        return new Promise(() => undefined);
      case "healthy at the deadline":
        return new Promise((resolve) => {
          signal?.addEventListener("abort", () => resolve(), { once: true });
        });
      default:
        return Promise.reject(
          Object.assign(new Error("as told"), {
            name: "PoolerError",
            code: this.answer,
            diagnostic: this.sqlState === undefined ? undefined : { code: this.sqlState },
          }),
        );
    }
  }
}

const UNTIL_BROKEN: Readonly<Record<PoolerErrorCode | "never", number>> = {
  NOT_INITIALIZED: 1,
  NOT_OPEN: 1,
  PRE_EXECUTION_UNAVAILABLE: 2,
  AUTHENTICATION_FAILED: 2,
  CONNECTION_LOST: 2,
  DATABASE_ERROR: 2,
  NOT_SERVING: 2,
  WRONG_TARGET: 2,
  INVALID_ARGUMENT: 2,
  UNIMPLEMENTED: 2,
  READ_ONLY: 1,
  RESERVATION_LOST: 2,
  SUBSCRIBER_BEHIND: 2,
  CANCELLED: 2,
  INTERNAL: 2,
  DEADLINE_EXCEEDED: 3,
  never: 3,
  POOL_EXHAUSTED: 10,
};

test.each(Object.entries(UNTIL_BROKEN))("%s is broken after %i answers", async (name, expected) => {
  await using fixture = new Fixture();
  const answer = [...Object.values(PoolerErrorCode), "never" as const].find((it) => it === name);
  assert.ok(answer !== undefined);
  expect(await fixture.answersUntilBroken(answer)).toBe(expected);
});

test("an exhausted pool without one connection is a full server, and broken sooner", async () => {
  await using fixture = new Fixture();
  fixture.holdsConnections = false;
  expect(await fixture.answersUntilBroken("POOL_EXHAUSTED")).toBe(3);
  expect(fixture.faults).toBe(0);
  expect(fixture.monitor.health).toMatchObject({ code: "SERVER_FULL" });
});

const CODES: Readonly<Partial<Record<PoolerErrorCode, string>>> = {
  READ_ONLY: "WRITES_REFUSED",
  AUTHENTICATION_FAILED: "LOGIN_REFUSED",
  POOL_EXHAUSTED: "POOL_EXHAUSTED",
  DEADLINE_EXCEEDED: "QUERY_PATH_BROKEN",
};

test.each(Object.entries(CODES))("%s makes the pooler not ready as %s", async (name, code) => {
  await using fixture = new Fixture();
  const answer = Object.values(PoolerErrorCode).find((it) => it === name);
  assert.ok(answer !== undefined);
  await fixture.answersUntilBroken(answer);
  expect(fixture.monitor.health).toMatchObject({ state: "broken", code });
});

test.each([
  ["57P03", "DATABASE_IN_TRANSITION"],
  ["53300", "SERVER_FULL"],
  ["58030", "QUERY_PATH_BROKEN"],
])("what PostgreSQL refuses with %s is %s", async (sqlState, code) => {
  await using fixture = new Fixture();
  fixture.sqlState = sqlState;
  await fixture.answersUntilBroken("PRE_EXECUTION_UNAVAILABLE");
  expect(fixture.monitor.health).toMatchObject({ state: "broken", code });
});

test("one answer that is missed now and then is no outage", async () => {
  await using fixture = new Fixture();
  fixture.monitor.open();
  for (let round = 0; round < 20; round += 1) {
    fixture.answer = "never";
    await fixture.clock.advance(2_000);
    fixture.answer = "healthy";
    await fixture.clock.advance(2_000);
  }
  expect(fixture.changes).toEqual([{ state: "working" }]);
  // Each was a reason to look at the database.
  expect(fixture.faults).toBeGreaterThanOrEqual(10);
});

test("broken is told with its reason, logged once, and over with the first good answer", async () => {
  await using fixture = new Fixture();
  await fixture.answersUntilBroken("PRE_EXECUTION_UNAVAILABLE");
  fixture.answer = "healthy";
  await fixture.clock.advance(1_000);
  expect(fixture.changes).toEqual([
    { state: "working" },
    { state: "broken", code: "QUERY_PATH_BROKEN", reason: "as told" },
    { state: "working" },
  ]);
  expect(fixture.logger.messages("warn")).toEqual(["the query path fails: as told"]);
  expect(fixture.logger.messages("info")).toEqual(["the query path works again"]);
});

test("a controller that judges itself healthy when its time is over is healthy", async () => {
  await using fixture = new Fixture();
  expect(await fixture.answersUntilBroken("healthy at the deadline")).toBe(Infinity);
  expect(fixture.monitor.health).toEqual({ state: "working" });
});
