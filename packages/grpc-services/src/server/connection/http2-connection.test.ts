import { EventEmitter } from "node:events";
import { ManualClock } from "@multipooler/timing/testing";
import { expect, test } from "vitest";
import { Http2Connection } from "./http2-connection.ts";
import type { ConnectionTimes, KeptSession } from "./http2-connection.ts";

const TIMES: ConnectionTimes = {
  keepaliveIntervalMs: 1000,
  keepaliveTimeoutMs: 300,
  maxAgeMs: undefined,
  maxAgeGraceMs: undefined,
};

/** A session whose client answers PINGs when the test says so. */
class FakeSession extends EventEmitter implements KeptSession {
  readonly events: string[] = [];
  destroyed = false;
  takesPings = true;
  #onPong: ((error: Error | null) => void) | undefined;

  ping(onPong: (error: Error | null) => void): boolean {
    this.events.push("ping");
    this.#onPong = onPong;
    return this.takesPings;
  }

  pong(error: Error | null = null): void {
    this.#onPong?.(error);
  }

  goaway(code: number, lastStreamId: number): void {
    this.events.push(`goaway ${code} ${lastStreamId}`);
  }

  close(): void {
    this.events.push("close");
  }

  destroy(): void {
    this.events.push("destroy");
    this.destroyed = true;
    this.emit("close");
  }
}

interface Scene {
  readonly connection: Http2Connection;
  readonly session: FakeSession;
  readonly clock: ManualClock;
}

function scene(times: Partial<ConnectionTimes> = {}, random = 0.5): Scene {
  const session = new FakeSession();
  const clock = new ManualClock();
  const connection = new Http2Connection({
    session,
    times: { ...TIMES, ...times },
    clock,
    random: () => random,
  });
  return { connection, session, clock };
}

test("a client that answers is asked again after the interval", async () => {
  const { session, clock } = scene();
  await clock.advance(1000);
  expect(session.events).toEqual(["ping"]);
  await clock.advance(299);
  session.pong();
  await clock.advance(999);
  expect(session.events).toEqual(["ping"]);
  await clock.advance(1);
  expect(session.events).toEqual(["ping", "ping"]);
});

test("a client that does not answer in time is cut, and leaves no timer", async () => {
  const { session, clock } = scene();
  await clock.advance(1300);
  expect(session.events).toEqual(["ping", "destroy"]);
  expect(clock.pending).toBe(0);
});

test.each([
  ["cannot be asked", false],
  ["answers with an error", true],
])("a connection that %s is cut", async (_what, takesPings) => {
  const { session, clock } = scene();
  session.takesPings = takesPings;
  await clock.advance(1000);
  if (takesPings) {
    session.pong(new Error("cancelled"));
  }
  expect(session.events).toEqual(["ping", "destroy"]);
  expect(clock.pending).toBe(0);
});

test.each([
  [0, 900],
  [0.5, 1000],
  [1, 1100],
])("at random %d a connection of 1000 ms retires after %d ms", async (random, ageMs) => {
  const { session, clock } = scene({ keepaliveIntervalMs: 5000, maxAgeMs: 1000 }, random);
  await clock.advance(ageMs - 1);
  expect(session.events).toEqual([]);
  await clock.advance(1);
  expect(session.events).toEqual(["goaway 0 2147483647", "close"]);
});

test("calls on an old connection go on for the grace, and then no more", async () => {
  const times = { keepaliveIntervalMs: 5000, maxAgeMs: 1000, maxAgeGraceMs: 500 };
  const { session, clock } = scene(times);
  await clock.advance(1499);
  expect(session.destroyed).toBe(false);
  await clock.advance(1);
  expect(session.destroyed).toBe(true);
  expect(clock.pending).toBe(0);
});

test("a connection that is closed lets its calls end, and leaves no timer once it has ended", () => {
  const { connection, session, clock } = scene({ maxAgeMs: 1000 });
  connection.close();
  expect(session.events).toEqual(["close"]);
  session.emit("close");
  expect(clock.pending).toBe(0);
});
