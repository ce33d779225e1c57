import { PoolerRole, ServingStatus } from "@multipooler/controller-api";
import type { ServingTarget } from "@multipooler/controller-api";
import { QueryMode } from "@multipooler/query-service";
import { ManualClock } from "@multipooler/timing/testing";
import { expect, test } from "vitest";
import { failureOf, settled } from "../../test/settled.ts";
import { silentLogger } from "../../test/silent-logger.ts";
import type { MultiPoolerError } from "../error.ts";
import type { PoolerEvent } from "../pooler-event.ts";
import { ServingGate } from "./serving-gate.ts";

// Every way through the states is in serving-gate-model.test.ts; these are the details.

const SERVING: ServingTarget = {
  status: ServingStatus.Serving,
  role: PoolerRole.Primary,
  reason: "it is elected",
};
const STOPPED: ServingTarget = {
  status: ServingStatus.NotServing,
  role: PoolerRole.Replica,
  reason: "it is demoted",
};

/** Something that was admitted, and what it was cut for. */
class TestHolder {
  cutFor: MultiPoolerError | undefined;

  cut(reason: MultiPoolerError): void {
    this.cutFor ??= reason;
  }
}

function enter(
  gate: ServingGate,
  mode: QueryMode = QueryMode.Writable,
  kind: "single" | "reservation" = "single",
): TestHolder {
  const holder = new TestHolder();
  gate.enter(kind, mode, holder);
  return holder;
}

async function servingGate(
  drainGraceMs = 3000,
): Promise<{ gate: ServingGate; clock: ManualClock; events: PoolerEvent[] }> {
  const clock = new ManualClock();
  const events: PoolerEvent[] = [];
  const gate = new ServingGate({
    drainGraceMs,
    isOpen: () => true,
    prepare: () => undefined,
    clock,
    onEvent: (event) => events.push(event),
    logger: silentLogger,
  });
  await gate.setTarget(SERVING, undefined);
  return { gate, clock, events };
}

test("each drain is told with its time and what was cut, but not the way to the first status", async () => {
  const { gate, clock, events } = await servingGate();
  const patient = enter(gate);
  const leaving = gate.setTarget(STOPPED, undefined);
  clock.step(1000);
  gate.leave(patient);
  await leaving;
  await gate.setTarget(SERVING, undefined);
  const holders = [enter(gate), enter(gate, QueryMode.Writable, "reservation")];
  const again = gate.setTarget(STOPPED, undefined);
  clock.step(3000);
  for (const holder of holders) {
    gate.leave(holder);
  }
  await again;
  expect(events).toEqual([
    { type: "drained", role: "PRIMARY", durationMs: 1000, cut: 0 },
    { type: "drained", role: "PRIMARY", durationMs: 3000, cut: 2 },
  ]);
});

test("a refusal says what the status is, or becomes, and why", async () => {
  const { gate } = await servingGate();
  const running = enter(gate, QueryMode.Unspecified);
  const leaving = gate.setTarget(STOPPED, undefined);
  await settled();
  expect(() => enter(gate, QueryMode.Unspecified)).toThrow(
    "this pooler is becoming NOT_SERVING REPLICA (it is demoted); retry, or ask another one",
  );
  gate.leave(running);
  await leaving;
  expect(() => enter(gate, QueryMode.Unspecified)).toThrow(
    "this pooler is NOT_SERVING (it is demoted); retry, or ask another one",
  );
});

test("another term or reason is adopted while queries run", async () => {
  const { gate } = await servingGate();
  const running = enter(gate);
  const term = { coordinatorTerm: 7n, leaderSubterm: 1n };
  await gate.setTarget({ ...SERVING, term, reason: "it is elected again" }, undefined);
  expect(gate.state.current).toMatchObject({ term, reason: "it is elected again" });
  expect([gate.isServing, running.cutFor]).toEqual([true, undefined]);
});

test("a grace of 0 waits without bound", async () => {
  const { gate, clock } = await servingGate(0);
  const running = enter(gate);
  const leaving = gate.setTarget(STOPPED, undefined);
  await settled();
  clock.step(1_000_000);
  expect([running.cutFor, gate.state.current.status]).toEqual([undefined, "SERVING"]);
  gate.leave(running);
  await leaving;
});

test("what is cut at the deadline keeps the status from changing until it has ended", async () => {
  const { gate, clock } = await servingGate();
  const running = enter(gate);
  const leaving = gate.setTarget(STOPPED, undefined);
  await settled();
  clock.step(3000);
  expect(running.cutFor).toMatchObject({ code: "NOT_SERVING" });
  await settled();
  expect(gate.state.current).toBe(SERVING);
  gate.leave(running);
  await leaving;
  expect(gate.state).toMatchObject({ current: STOPPED, wanted: undefined });
  expect(clock.pending).toBe(0);
});

test("while reservations are left, single requests get in and new reservations do not", async () => {
  const { gate } = await servingGate();
  const transaction = enter(gate, QueryMode.Writable, "reservation");
  const leaving = gate.setTarget(STOPPED, undefined);
  await settled();
  const single = enter(gate);
  expect(() => enter(gate, QueryMode.Writable, "reservation")).toThrow("becoming NOT_SERVING");
  gate.enterReserved(QueryMode.Writable);
  gate.leave(transaction);
  await settled();
  expect(() => enter(gate)).toThrow("becoming NOT_SERVING");
  gate.leave(single);
  await leaving;
});

test("a transaction gets its COMMIT in until it is cut, whatever the gate is becoming", async () => {
  const { gate, clock } = await servingGate();
  const transaction = enter(gate, QueryMode.Writable, "reservation");
  const leaving = gate.setTarget(STOPPED, undefined);
  await settled();
  gate.enterReserved(QueryMode.Writable);
  clock.step(3000);
  expect(transaction.cutFor).toMatchObject({ code: "NOT_SERVING" });
  expect(() => enter(gate)).toThrow("becoming NOT_SERVING");
  gate.leave(transaction);
  await leaving;
});

test("a single request that opened a transaction is waited for as a reservation", async () => {
  const { gate } = await servingGate();
  const holder = enter(gate);
  gate.change("reserved", holder);
  expect(gate.counts).toEqual({ single: 0, reserved: 1 });
  const leaving = gate.setTarget(STOPPED, undefined);
  await settled();
  gate.leave(enter(gate));
  gate.change("single", holder);
  await settled();
  expect(() => enter(gate)).toThrow("becoming NOT_SERVING");
  gate.leave(holder);
  await leaving;
  expect(gate.counts).toEqual({ single: 0, reserved: 0 });
});

test("DRAINED can be asked for and stays until another target is", async () => {
  const prepared: ServingTarget[] = [];
  const gate = new ServingGate({
    drainGraceMs: 3000,
    isOpen: () => true,
    prepare: (target) => prepared.push(target),
    clock: new ManualClock(),
    logger: silentLogger,
  });
  const drained = { ...STOPPED, status: ServingStatus.Drained, reason: "an operator asks for it" };
  await gate.setTarget(SERVING, undefined);
  await gate.setTarget(drained, undefined);
  expect(gate.state).toMatchObject({ current: drained, wanted: undefined });
  expect(() => enter(gate)).toThrow("this pooler is DRAINED (an operator asks for it)");
  await gate.setTarget(SERVING, undefined);
  gate.leave(enter(gate));
  expect(prepared).toEqual([SERVING, drained, SERVING]);
});

test("an aborted signal changes nothing if the transition did not start", async () => {
  const { gate } = await servingGate();
  const aborted = await failureOf(gate.setTarget(STOPPED, AbortSignal.abort()));
  expect(aborted).toMatchObject({ code: "CANCELLED" });
  expect(gate.isServing).toBe(true);
});

test("what became of each drain is counted, and how long it took", async () => {
  const { gate, clock } = await servingGate();
  const drain = async (afterMs: number, end: () => void): Promise<void> => {
    const leaving = gate.setTarget(STOPPED, undefined).catch(() => undefined);
    await settled();
    clock.step(afterMs);
    end();
    await leaving;
    await gate.setTarget(SERVING, undefined);
  };
  const first = enter(gate);
  await drain(100, () => gate.leave(first));
  const second = enter(gate);
  await drain(3000, () => gate.leave(second));
  const third = enter(gate);
  await drain(50, () => void gate.setTarget(SERVING, undefined));
  expect([third.cutFor, gate.isServing]).toEqual([undefined, true]);
  const abort = new AbortController();
  const aborted = failureOf(gate.setTarget(STOPPED, abort.signal));
  await settled();
  abort.abort();
  await aborted;
  await gate.setTarget(SERVING, undefined);
  const closing = gate.setTarget(STOPPED, undefined);
  const closed = gate.close();
  gate.leave(third);
  await Promise.all([closing, closed]);
  expect(gate.state.drains).toEqual({
    completed: 1,
    cut: 1,
    reversed: 1,
    aborted: 2,
    cutRequests: 1,
    longestMs: 3000,
    totalMs: 3150,
  });
});

test("a drain whose last request has just ended can still be reversed, or is over", async () => {
  const { gate } = await servingGate();
  const running = enter(gate);
  const leaving = failureOf(gate.setTarget(STOPPED, undefined));
  await settled();
  gate.leave(running);
  await gate.setTarget(SERVING, undefined);
  expect(await leaving).toMatchObject({ code: "CANCELLED" });
  expect(gate.isServing).toBe(true);
  await settled();
  expect(gate.isServing).toBe(true);
});

test("close ends a drain that is under way, and what it leads to cannot serve", async () => {
  const clock = new ManualClock();
  let isOpen = true;
  const gate = new ServingGate({
    drainGraceMs: 0,
    isOpen: () => isOpen,
    prepare: () => undefined,
    clock,
    logger: silentLogger,
  });
  await gate.setTarget(SERVING, undefined);
  const running = enter(gate);
  const target = { ...SERVING, status: ServingStatus.ServingReadOnly };
  const leaving = failureOf(gate.setTarget(target, undefined));
  await settled();
  isOpen = false;
  const closing = gate.close();
  expect(running.cutFor).toMatchObject({ code: "NOT_OPEN" });
  expect(() => gate.enterReserved(QueryMode.Writable)).toThrow(
    expect.objectContaining({ code: "NOT_SERVING" }),
  );
  gate.leave(running);
  expect(await leaving).toMatchObject({ code: "NOT_OPEN" });
  await closing;
  expect(gate.isServing).toBe(false);
});
