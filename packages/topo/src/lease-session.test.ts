import { ManualClock } from "@multipooler/timing/testing";
import { expect, test } from "vitest";
import { TopoError, TopoErrorCode } from "./error.ts";
import { LeaseSession, momentOf } from "./lease-session.ts";
import type { Leases } from "./lease-session.ts";

const TTL_MS = 12_000;

/** A server of one lease, which records its calls and answers as the test says. */
class FakeLeases implements Leases {
  readonly renewedAt: number[] = [];
  revoked = 0;
  answer: "alive" | "gone" | "refused" | "silent" = "alive";
  readonly #clock: ManualClock;

  constructor(clock: ManualClock) {
    this.#clock = clock;
  }

  async renew(_id: bigint, signal: AbortSignal): Promise<boolean> {
    this.renewedAt.push(this.#clock.now());
    if (this.answer === "silent") {
      await aborted(signal);
    }
    if (this.answer === "refused") {
      throw unavailable();
    }
    return this.answer === "alive";
  }

  async revoke(_id: bigint, signal: AbortSignal): Promise<void> {
    if (this.answer === "silent") {
      await aborted(signal);
    }
    if (this.answer === "refused") {
      throw unavailable();
    }
    this.revoked += 1;
  }
}

test("a lease is renewed at each third of its time to live", async () => {
  const { clock, leases, session } = open();
  await clock.advance(TTL_MS * 2);
  expect(leases.renewedAt).toEqual([4000, 8000, 12_000, 16_000, 20_000, 24_000]);
  expect(session.signal.aborted).toBe(false);
  await session.close();
  expect(clock.pending).toBe(0);
});

test.for(["refused", "silent"] as const)(
  "a lease whose renewals are %s is lost when its time is over, and not later",
  async (answer) => {
    const { clock, leases, session, ended } = open();
    await clock.advance(4000);
    leases.answer = answer;
    // The last renewal that was confirmed was sent after 4 s.
    await clock.advance(11_999);
    expect(session.signal.aborted).toBe(false);
    expect(leases.renewedAt.length).toBeGreaterThan(3);
    await clock.advance(1);
    expect(session.signal.reason).toMatchObject({ code: TopoErrorCode.SessionLost });
    expect(ended).toEqual([session]);
    expect(clock.pending).toBe(0);
  },
);

test.for([
  ["set back", -3_600_000, TTL_MS],
  ["ahead after a sleep of the machine", TTL_MS, TTL_MS / 3],
] as const)(
  "a lease is lost in time when the wall clock is %s",
  async ([_how, byMs, lostAfterMs]) => {
    const { clock, leases, session } = open();
    leases.answer = "refused";
    clock.shiftWallTime(byMs);
    await clock.advance(lostAfterMs);
    expect(session.signal.reason).toMatchObject({ code: TopoErrorCode.SessionLost });
    expect(clock.pending).toBe(0);
  },
);

test("a lease outlasts renewals that fail, as long as one succeeds in time", async () => {
  const { clock, leases, session } = open();
  leases.answer = "refused";
  await clock.advance(10_500);
  leases.answer = "alive";
  await clock.advance(60_000);
  expect(session.signal.aborted).toBe(false);
  await session.close();
});

test("a lease that the server does not know any more is lost at once", async () => {
  const { clock, leases, session } = open();
  leases.answer = "gone";
  await clock.advance(4000);
  expect(session.signal.reason).toMatchObject({
    code: TopoErrorCode.SessionLost,
    key: "session 7",
  });
  expect(clock.pending).toBe(0);
});

test("an orphaned session is not renewed and not revoked, and can be closed still", async () => {
  const { clock, leases, session, ended } = open();
  session.orphan();
  session.orphan();
  await clock.advance(TTL_MS * 2);
  expect(leases.renewedAt).toEqual([]);
  expect(leases.revoked).toBe(0);
  expect(session.signal.reason).toMatchObject({ code: TopoErrorCode.Interrupted });
  await session.close();
  expect(leases.revoked).toBe(1);
  expect(ended).toEqual([session]);
});

test("a close that fails says so, ends the session all the same, and can be tried again", async () => {
  const { clock, leases, session } = open();
  leases.answer = "refused";
  await expect(session.close()).rejects.toMatchObject({ code: TopoErrorCode.Unavailable });
  expect(session.signal.aborted).toBe(true);
  expect(clock.pending).toBe(0);
  leases.answer = "alive";
  await session.close();
  await session.close();
  expect(leases.revoked).toBe(1);
});

test("a close waits for a silent server for the time to live at most, or until an abort", async () => {
  const { clock, leases, session } = open();
  leases.answer = "silent";
  const controller = new AbortController();
  const aborting = session.close({ signal: controller.signal });
  controller.abort();
  await expect(aborting).rejects.toThrow("aborted");
  const waiting = expect(session.close()).rejects.toMatchObject({ name: "TimeoutError" });
  await clock.advance(TTL_MS);
  await waiting;
  expect(clock.pending).toBe(0);
});

function open(): {
  readonly clock: ManualClock;
  readonly leases: FakeLeases;
  readonly session: LeaseSession;
  readonly ended: unknown[];
} {
  const clock = new ManualClock({ startsAt: 0 });
  const leases = new FakeLeases(clock);
  const ended: unknown[] = [];
  const session = new LeaseSession({
    leases,
    id: 7n,
    ttlMs: TTL_MS,
    grantedAt: momentOf(clock),
    clock,
    onEnd: (which) => ended.push(which),
  });
  return { clock, leases, session, ended };
}

async function aborted(signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  signal.addEventListener("abort", () => resolve(), { once: true });
  await promise;
  signal.throwIfAborted();
}

function unavailable(): TopoError {
  return new TopoError({ code: TopoErrorCode.Unavailable, key: "session 7", message: "away" });
}
