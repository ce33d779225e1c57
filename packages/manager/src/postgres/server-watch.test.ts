import assert from "node:assert/strict";
import { ManualClock } from "@multipooler/timing/testing";
import { expect, test } from "vitest";
import { RecordingLogger } from "../../test/recording-logger.ts";
import { ManagerError, ManagerErrorCode } from "../manager-error.ts";
import { ServerWatch } from "./server-watch.ts";

const { DatabaseUnavailable, DatabaseTimeout, AuthenticationFailed } = ManagerErrorCode;
const refused = (code: ManagerErrorCode, sqlState?: string): ManagerError =>
  new ManagerError(code, `refused with ${sqlState ?? code}`, { sqlState });

/** A server whose door and name are as the test says. */
class Fixture implements AsyncDisposable {
  readonly clock: ManualClock = new ManualClock();
  readonly logger: RecordingLogger = new RecordingLogger();
  readonly changes: string[] = [];
  /** When it was dialled. */
  readonly dials: number[] = [];
  fault: ManagerError | undefined;
  /** What a dial waits for. */
  dialling: Promise<void> | undefined;
  named: boolean | Error = true;
  /** What the next lookups find instead. */
  lookups: (boolean | Error)[] = [];
  readonly watch: ServerWatch = new ServerWatch({
    dial: async () => {
      this.dials.push(this.clock.monotonic());
      await this.dialling;
      if (this.fault !== undefined) {
        throw this.fault;
      }
    },
    isStillNamed: async () => {
      const named = this.lookups.shift() ?? this.named;
      if (named instanceof Error) {
        throw named;
      }
      return named;
    },
    place: "PostgreSQL at db:5432 (10.0.0.1:5432)",
    clock: this.clock,
    logger: this.logger,
    onChange: ({ type }) => this.changes.push(`${this.clock.monotonic()} ${type}`),
  });

  async opened(): Promise<this> {
    this.watch.open();
    await this.clock.advance(0);
    return this;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.watch.close();
    assert.equal(this.clock.pending, 0, "no timer is left");
  }
}

test("a server that lets everybody in is dialled every three seconds and changes nothing", async () => {
  await using fixture = await new Fixture().opened();
  await fixture.clock.advance(9_000);
  expect(fixture.dials).toEqual([0, 3_000, 6_000, 9_000]);
  expect(fixture.changes).toEqual([]);
});

test("57P03 means at once and for good that the server leaves", async () => {
  await using fixture = await new Fixture().opened();
  fixture.fault = refused(DatabaseUnavailable, "57P03");
  await fixture.clock.advance(3_000);
  expect(fixture.changes).toEqual(["3000 leaving"]);
  expect(fixture.watch.state).toMatchObject({
    error: { code: ManagerErrorCode.DatabaseLeaving, message: "refused with 57P03" },
  });
  fixture.fault = undefined;
  await fixture.clock.advance(60_000);
  expect(fixture.changes).toHaveLength(1);
});

test("another refusal is told when it repeats, and over when one is let in", async () => {
  await using fixture = await new Fixture().opened();
  fixture.fault = refused(AuthenticationFailed, "28P01");
  await fixture.clock.advance(3_000);
  expect(fixture.changes).toEqual([]);
  await fixture.clock.advance(1_000);
  expect(fixture.changes).toEqual(["4000 refusing"]);
  fixture.fault = undefined;
  await fixture.clock.advance(1_000);
  expect(fixture.changes).toEqual(["4000 refusing", "5000 open"]);
});

test.each([
  ["for lack of room", refused(DatabaseUnavailable, "53300")],
  ["by nobody's answer", refused(DatabaseTimeout)],
])("a dial that fails %s says nothing of the server", async (_, fault) => {
  await using fixture = await new Fixture().opened();
  fixture.fault = fault;
  await fixture.clock.advance(60_000);
  expect(fixture.changes).toEqual([]);
  expect(fixture.dials).toHaveLength(21);
});

test("a name that leads elsewhere twice in a row means that the server is left", async () => {
  await using fixture = await new Fixture().opened();
  fixture.named = false;
  await fixture.clock.advance(500);
  expect(fixture.changes).toEqual([]);
  await fixture.clock.advance(250);
  expect(fixture.changes).toEqual(["750 leaving"]);
  expect(fixture.watch.state).toMatchObject({
    error: {
      message: "PostgreSQL at db:5432 (10.0.0.1:5432) is no longer at the configured address",
    },
  });
});

test("names that take turns, and a name server in trouble, move nothing", async () => {
  await using fixture = await new Fixture().opened();
  const trouble = new Error("EAI_AGAIN");
  const round = [false, true, true, false, trouble, true];
  fixture.lookups = [...round, ...round, ...round];
  await fixture.clock.advance(20_000);
  expect(fixture.lookups).toEqual([]);
  expect(fixture.changes).toEqual([]);
});

test("a suspicion has it look at once, a flood of them no more than four times a second", async () => {
  await using fixture = await new Fixture().opened();
  for (let ms = 0; ms < 1_000; ms += 10) {
    fixture.watch.lookNow();
    await fixture.clock.advance(10);
  }
  expect(fixture.dials).toEqual([0, 250, 500, 750]);
});

test("a server that is left stays left, whatever a dial that is under way finds", async () => {
  await using fixture = await new Fixture().opened();
  const dialled = Promise.withResolvers<void>();
  await fixture.clock.advance(2_999);
  const before = fixture.dials.length;
  fixture.dialling = dialled.promise;
  await fixture.clock.advance(1);
  expect(fixture.dials.length).toBe(before + 1);
  fixture.watch.leave(refused(ManagerErrorCode.DatabaseLeaving));
  dialled.resolve();
  await fixture.clock.advance(60_000);
  expect(fixture.changes).toEqual(["3000 leaving"]);
  expect(fixture.dials.length).toBe(before + 1);
});
