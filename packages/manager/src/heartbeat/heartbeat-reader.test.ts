import { ManualClock } from "@multipooler/timing/testing";
import { expect, test } from "vitest";
import { RecordingLogger } from "../../test/recording-logger.ts";
import { HeartbeatReader } from "./heartbeat-reader.ts";
import { toNanoseconds } from "./heartbeat-table.ts";
import { ManagerError, ManagerErrorCode } from "../manager-error.ts";
import type { Row } from "../postgres/row.ts";

class Fixture implements AsyncDisposable {
  readonly clock: ManualClock = new ManualClock();
  readonly logger: RecordingLogger = new RecordingLogger();
  /** What a read yields. */
  read: () => Promise<readonly Row[]> = async () => [];
  readonly reader: HeartbeatReader = new HeartbeatReader({
    database: { query: () => this.read() },
    intervalMs: 1_000,
    clock: this.clock,
    logger: this.logger,
  });

  /** A read that finds a heartbeat of that age. */
  aged(ms: number): () => Promise<readonly Row[]> {
    return async () => [this.row(this.clock.now() - ms)];
  }

  /** What a server out of recovery answers; `replay`: what a standby does. */
  row(writtenAt: number, replay: Row = { behind: null, isReceiving: false }): Row {
    return { ts: String(toNanoseconds(writtenAt)), ...replay };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.reader.close();
  }
}

test("open ends after the first read, so that the lag is known from the start", async () => {
  await using fixture = new Fixture();
  fixture.read = fixture.aged(7);
  await fixture.reader.open();
  expect(fixture.reader.status()).toEqual({
    mode: "reader",
    lagMs: 7,
    behindBytes: undefined,
    lastError: undefined,
  });
});

test("a heartbeat from the future is one without lag", async () => {
  await using fixture = new Fixture();
  fixture.read = fixture.aged(-5_000);
  await fixture.reader.open();
  expect(fixture.reader.status()).toMatchObject({ lagMs: 0 });
});

test("an empty table becomes an error after two intervals, and not before", async () => {
  await using fixture = new Fixture();
  await fixture.reader.open();
  await fixture.clock.advance(2_000);
  expect(fixture.reader.status()).toMatchObject({ lagMs: undefined, lastError: undefined });
  await fixture.clock.advance(1);
  expect(fixture.reader.status()).toMatchObject({ lastError: "no new heartbeat for 2001 ms" });
});

test("silence is noticed although the wall clock is set back", async () => {
  await using fixture = new Fixture();
  fixture.read = fixture.aged(7);
  await fixture.reader.open();
  fixture.read = async () => [];
  fixture.clock.shiftWallTime(-3_600_000);
  await fixture.clock.advance(2_500);
  expect(fixture.reader.status()).toMatchObject({ lastError: "no new heartbeat for 2500 ms" });
});

test("a read that hangs becomes an error after two intervals, and the last lag is kept", async () => {
  await using fixture = new Fixture();
  fixture.read = fixture.aged(7);
  await fixture.reader.open();
  const hung = Promise.withResolvers<readonly Row[]>();
  fixture.read = () => hung.promise;
  await fixture.clock.advance(2_500);
  expect(fixture.reader.status()).toMatchObject({
    lagMs: 7,
    lastError: "no new heartbeat for 2500 ms",
  });
  fixture.read = fixture.aged(3);
  hung.resolve([]);
  await fixture.clock.advance(1_000);
  expect(fixture.reader.status()).toMatchObject({ lagMs: 3, lastError: undefined });
});

test("a standby that has all is not behind, though nobody writes a heartbeat any more", async () => {
  await using fixture = new Fixture();
  const writtenAt = fixture.clock.now() - 7;
  fixture.read = async () => [fixture.row(writtenAt, { behind: "0", isReceiving: true })];
  await fixture.reader.open();
  await fixture.clock.advance(60_000);
  expect(fixture.reader.status()).toEqual({
    mode: "reader",
    lagMs: 7,
    behindBytes: 0,
    lastError: "no new heartbeat for 60000 ms; all that was received is replayed",
  });
});

test("a moment in which a standby was behind leaves no lag once it has all", async () => {
  await using fixture = new Fixture();
  const writtenAt = fixture.clock.now() - 7;
  fixture.read = async () => [fixture.row(writtenAt, { behind: "48", isReceiving: true })];
  await fixture.reader.open();
  await fixture.clock.advance(60_000);
  expect(fixture.reader.status()).toMatchObject({ lagMs: 60_007, behindBytes: 48 });
  fixture.read = async () => [fixture.row(writtenAt, { behind: "0", isReceiving: true })];
  await fixture.clock.advance(1_000);
  expect(fixture.reader.status()).toMatchObject({ lagMs: 7, behindBytes: 0 });
});

test.each([
  ["has more to replay", { behind: "4096", isReceiving: true }, 4096],
  ["receives nothing", { behind: "0", isReceiving: false }, 0],
])("the lag of a standby that %s grows", async (_what, replay, behindBytes) => {
  await using fixture = new Fixture();
  const writtenAt = fixture.clock.now() - 7;
  fixture.read = async () => [fixture.row(writtenAt, replay)];
  await fixture.reader.open();
  await fixture.clock.advance(60_000);
  expect(fixture.reader.status()).toEqual({
    mode: "reader",
    lagMs: 60_007,
    behindBytes,
    lastError: "no new heartbeat for 60000 ms",
  });
});

test("a table that is not there is one line in the log, until it was there", async () => {
  await using fixture = new Fixture();
  const missing = async (): Promise<never> => {
    throw new ManagerError(ManagerErrorCode.DatabaseError, "no such table", { sqlState: "42P01" });
  };
  const line = "no primary wrote a heartbeat yet: the lag is not known";
  fixture.read = missing;
  await fixture.reader.open();
  await fixture.clock.advance(120_000);
  expect(fixture.reader.status()).toMatchObject({ lastError: "no primary wrote a heartbeat yet" });
  expect(fixture.logger.lines).toEqual([{ level: "info", fields: {}, message: line }]);
  fixture.read = fixture.aged(7);
  await fixture.clock.advance(1_000);
  fixture.read = missing;
  await fixture.clock.advance(2_000);
  expect(fixture.logger.lines).toHaveLength(2);
});

test("an open that is aborted rejects, and close ends what it began", async () => {
  const fixture = new Fixture();
  const hung = Promise.withResolvers<readonly Row[]>();
  fixture.read = () => hung.promise;
  const abort = new AbortController();
  const opening = fixture.reader.open({ signal: abort.signal });
  abort.abort(new Error("enough"));
  await expect(opening).rejects.toThrow("enough");
  hung.resolve([]);
  await fixture.reader.close();
  expect(fixture.clock.pending).toBe(0);
});
