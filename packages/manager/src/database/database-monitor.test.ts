import assert from "node:assert/strict";
import type { CallOptions } from "@multipooler/query-service";
import { ManualClock } from "@multipooler/timing/testing";
import { expect, test } from "vitest";
import { RecordingLogger } from "../../test/recording-logger.ts";
import type { DatabaseFacts } from "./managed-database.ts";
import { DatabaseMonitor } from "./database-monitor.ts";
import type { DatabaseHealth, FactsSource } from "./database-monitor.ts";
import { ManagerError, ManagerErrorCode } from "../manager-error.ts";

const PRIMARY: DatabaseFacts = { inRecovery: false, serverVersion: "17.0" };
const STANDBY: DatabaseFacts = { inRecovery: true, serverVersion: "17.0" };
const REFUSED = new ManagerError(ManagerErrorCode.DatabaseUnavailable, "connection refused");
const TIMEOUT = new ManagerError(ManagerErrorCode.DatabaseTimeout, "no answer");

/** A database that answers as the test says. */
class Fixture implements FactsSource, AsyncDisposable {
  readonly clock: ManualClock = new ManualClock();
  readonly logger: RecordingLogger = new RecordingLogger();
  readonly startedAt: number = this.clock.now();
  /** When it was asked, since the start. */
  readonly asked: number[] = [];
  readonly changes: DatabaseHealth[] = [];
  answer: DatabaseFacts | Error | "never" = PRIMARY;
  readonly monitor: DatabaseMonitor = new DatabaseMonitor({
    database: this,
    clock: this.clock,
    random: () => 0.999_999,
    logger: this.logger,
    intervalMs: 1_000,
    reconnectTimeoutMs: 7_000,
    onChange: (health) => this.changes.push(health),
  });

  async check({ signal }: CallOptions = {}): Promise<DatabaseFacts> {
    this.asked.push(this.clock.now() - this.startedAt);
    if (this.answer === "never") {
      await new Promise((_, reject) => {
        signal?.addEventListener("abort", () => reject(TIMEOUT));
      });
    }
    if (this.answer instanceof Error) {
      throw this.answer;
    }
    return this.answer === "never" ? PRIMARY : this.answer;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.monitor.close();
    assert.equal(this.clock.pending, 0, "nothing waits for the clock any more");
  }
}

test("a healthy database is asked at each interval, and changes nothing", async () => {
  await using fixture = new Fixture();
  expect(fixture.monitor.health()).toEqual({ state: "unknown" });
  fixture.monitor.open();
  await fixture.clock.advance(3_000);
  expect(fixture.asked).toEqual([0, 1_000, 2_000, 3_000]);
  expect(fixture.changes).toEqual([{ state: "up", facts: PRIMARY }]);
});

test("that it enters or leaves recovery is told", async () => {
  await using fixture = new Fixture();
  fixture.monitor.open();
  await fixture.clock.advance(0);
  fixture.answer = STANDBY;
  await fixture.clock.advance(1_000);
  expect(fixture.changes).toEqual([
    { state: "up", facts: PRIMARY },
    { state: "up", facts: STANDBY },
  ]);
});

test("another timeline or cluster is told, and how far the server is only known", async () => {
  await using fixture = new Fixture();
  const cluster = { systemIdentifier: 7n, timeline: 1, history: [], lsn: 100n };
  const grown = { ...cluster, lsn: 200n };
  const promoted = { ...grown, timeline: 2, history: [{ timeline: 1, end: 200n }] };
  const replaced = { ...cluster, systemIdentifier: 8n };
  fixture.answer = { ...PRIMARY, cluster };
  fixture.monitor.open();
  await fixture.clock.advance(0);
  fixture.answer = { ...PRIMARY, cluster: grown };
  await fixture.clock.advance(1_000);
  expect(fixture.changes).toHaveLength(1);
  expect(fixture.monitor.health()).toMatchObject({ facts: { cluster: { lsn: 200n } } });
  for (const next of [promoted, replaced]) {
    fixture.answer = { ...PRIMARY, cluster: next };
    await fixture.clock.advance(1_000);
    expect(fixture.changes.at(-1)).toEqual({ state: "up", facts: fixture.answer });
  }
});

test("one failure is asked about again at once, a second in a row means down", async () => {
  await using fixture = new Fixture();
  fixture.monitor.open();
  await fixture.clock.advance(0);
  fixture.answer = REFUSED;
  fixture.monitor.checkNow();
  await fixture.clock.advance(0);
  expect(fixture.asked.slice(0, 3)).toEqual([0, 0, 0]);
  expect(fixture.monitor.health()).toEqual({ state: "down", error: REFUSED });
});

test("a database that says that it leaves is down at once", async () => {
  await using fixture = new Fixture();
  fixture.monitor.open();
  await fixture.clock.advance(0);
  const leaving = new ManagerError(ManagerErrorCode.DatabaseLeaving, "shutting down");
  fixture.answer = leaving;
  fixture.monitor.checkNow();
  await fixture.clock.advance(0);
  expect(fixture.changes.slice(0, 2)).toEqual([
    { state: "up", facts: PRIMARY },
    { state: "down", error: leaving },
  ]);
  expect(fixture.asked).toHaveLength(2);
});

test("one failure that was the connection's own does not matter", async () => {
  await using fixture = new Fixture();
  fixture.monitor.open();
  await fixture.clock.advance(0);
  const answers = [REFUSED, PRIMARY, REFUSED, PRIMARY];
  fixture.check = async () => {
    const answer = answers.shift() ?? PRIMARY;
    if (answer instanceof Error) {
      throw answer;
    }
    return answer;
  };
  await fixture.clock.advance(5_000);
  expect(answers).toEqual([]);
  expect(fixture.changes).toHaveLength(1);
});

test("a healthy database that does not answer is told to be silent before it is down", async () => {
  await using fixture = new Fixture();
  fixture.monitor.open();
  await fixture.clock.advance(0);
  fixture.answer = "never";
  fixture.monitor.checkNow();
  await fixture.clock.advance(399);
  expect(fixture.changes).toHaveLength(1);
  await fixture.clock.advance(1);
  const silence = "PostgreSQL has not answered for 400 ms";
  expect(fixture.changes.slice(1)).toEqual([{ state: "up", facts: PRIMARY, silence }]);
  await fixture.clock.advance(1_000);
  expect(fixture.changes).toHaveLength(2);
  fixture.answer = PRIMARY;
  await fixture.clock.advance(650);
  expect(fixture.changes.slice(2)).toEqual([{ state: "up", facts: PRIMARY }]);
});

test("a healthy database that does not answer is down after the third second", async () => {
  await using fixture = new Fixture();
  fixture.monitor.open();
  await fixture.clock.advance(0);
  fixture.answer = "never";
  fixture.monitor.checkNow();
  await fixture.clock.advance(2_999);
  expect(fixture.monitor.health().state).toBe("up");
  await fixture.clock.advance(1);
  expect(fixture.monitor.health()).toEqual({ state: "down", error: TIMEOUT });
});

test("a database that is down is asked with growing delays and has longer to answer", async () => {
  await using fixture = new Fixture();
  fixture.answer = REFUSED;
  fixture.monitor.open();
  await fixture.clock.advance(20_000);
  const delays = fixture.asked.map((at, i) => Math.round(at - (fixture.asked[i - 1] ?? 0)));
  expect(delays.slice(0, 7)).toEqual([0, 100, 200, 400, 800, 800, 800]);
  // Full jitter at its longest; the log falls silent for longer and longer.
  expect(fixture.logger.messages("warn").length).toBeLessThan(fixture.asked.length);

  fixture.answer = "never";
  fixture.monitor.checkNow();
  const asked = fixture.asked.length;
  await fixture.clock.advance(6_999);
  expect(fixture.asked).toHaveLength(asked + 1);
  fixture.answer = PRIMARY;
  await fixture.clock.advance(10_000);
  expect(fixture.monitor.health()).toEqual({ state: "up", facts: PRIMARY });
  expect(fixture.logger.messages("info")).toContain("connecting to PostgreSQL works again");
});

test("close in the middle of a question ends it and tells nobody", async () => {
  const fixture = new Fixture();
  fixture.answer = "never";
  fixture.monitor.open();
  await fixture.clock.advance(0);
  await fixture.monitor.close();
  expect(fixture.changes).toEqual([]);
  expect(fixture.clock.pending).toBe(0);
});

test("what is distrusted is down at once, is asked now, and is no news for the log", async () => {
  await using fixture = new Fixture();
  fixture.monitor.open();
  await fixture.clock.advance(300);
  const moved = new ManagerError(ManagerErrorCode.DatabaseLeaving, "it is elsewhere");
  fixture.answer = moved;
  fixture.monitor.distrust(moved);
  expect(fixture.monitor.health()).toEqual({ state: "down", error: moved });
  await fixture.clock.advance(0);
  expect(fixture.asked).toEqual([0, 300]);
  fixture.answer = STANDBY;
  await fixture.clock.advance(1_000);
  expect(fixture.monitor.health()).toEqual({ state: "up", facts: STANDBY });
  expect(fixture.logger.messages("warn")).toEqual([]);
});

test("an outage is no alarm while it is expected, and one when it lasts longer", async () => {
  await using fixture = new Fixture();
  fixture.monitor.open();
  await fixture.clock.advance(0);
  fixture.answer = REFUSED;
  {
    using _outage = fixture.monitor.expectOutage();
    await fixture.clock.advance(5_000);
    expect(fixture.monitor.health()).toEqual({ state: "down", error: REFUSED });
    expect(fixture.logger.messages("warn")).toEqual([]);
  }
  await fixture.clock.advance(1_000);
  expect(fixture.logger.messages("warn")).toEqual([
    "connecting to PostgreSQL fails: connection refused",
  ]);
});
