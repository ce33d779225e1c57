import { getEventListeners } from "node:events";
import { PoolerRole, QueryMode, ServingStatus } from "@multipooler/controller-api";
import type { ServingTarget } from "@multipooler/controller-api";
import { ManualClock } from "@multipooler/timing/testing";
import { expect, test } from "vitest";
import { failureOf, settled } from "../test/settled.ts";
import { silentLogger } from "../test/silent-logger.ts";
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

async function servingGate(
  drainGraceMs = 3000,
): Promise<{ gate: ServingGate; clock: ManualClock }> {
  const clock = new ManualClock();
  const gate = new ServingGate({
    drainGraceMs,
    isOpen: () => true,
    prepare: () => undefined,
    clock,
    logger: silentLogger,
  });
  await gate.setTarget(SERVING, undefined);
  return { gate, clock };
}

test("a refusal says what the status is, or becomes, and why", async () => {
  const { gate } = await servingGate();
  const admission = gate.admit(QueryMode.Unspecified, undefined);
  const leaving = gate.setTarget(STOPPED, undefined);
  await settled();
  expect(() => gate.admit(QueryMode.Unspecified, undefined)).toThrow(
    "this pooler is becoming NOT_SERVING REPLICA (it is demoted); retry, or ask another one",
  );
  admission[Symbol.dispose]();
  await leaving;
  expect(() => gate.admit(QueryMode.Unspecified, undefined)).toThrow(
    "this pooler is NOT_SERVING (it is demoted); retry, or ask another one",
  );
});

test("another term or reason is adopted while queries run", async () => {
  const { gate } = await servingGate();
  using admission = gate.admit(QueryMode.Writable, undefined);
  const term = { coordinatorTerm: 7n, leaderSubterm: 1n };
  await gate.setTarget({ ...SERVING, term, reason: "it is elected again" }, undefined);
  expect(gate.state.current).toMatchObject({ term, reason: "it is elected again" });
  expect([gate.isServing, admission.signal.aborted]).toEqual([true, false]);
});

test("a grace of 0 waits without bound", async () => {
  const { gate, clock } = await servingGate(0);
  const admission = gate.admit(QueryMode.Writable, undefined);
  const leaving = gate.setTarget(STOPPED, undefined);
  await settled();
  clock.step(1_000_000);
  expect([admission.signal.aborted, gate.state.current.status]).toEqual([false, "SERVING"]);
  admission[Symbol.dispose]();
  await leaving;
});

test("what is cut at the deadline keeps the status from changing until it has ended", async () => {
  const { gate, clock } = await servingGate();
  const admission = gate.admit(QueryMode.Writable, undefined);
  const leaving = gate.setTarget(STOPPED, undefined);
  await settled();
  clock.step(3000);
  expect(admission.signal.reason).toMatchObject({ code: "NOT_SERVING" });
  await settled();
  expect(gate.state.current).toBe(SERVING);
  admission[Symbol.dispose]();
  await leaving;
  expect(gate.state).toEqual({ current: STOPPED, wanted: undefined });
  expect(clock.pending).toBe(0);
});

test("an aborted signal changes nothing if the transition did not start", async () => {
  const { gate } = await servingGate();
  const aborted = await failureOf(gate.setTarget(STOPPED, AbortSignal.abort()));
  expect(aborted).toMatchObject({ code: "CANCELLED" });
  expect(gate.isServing).toBe(true);
});

test("an admission passes the caller's abort on and leaves no listener behind", async () => {
  const { gate } = await servingGate();
  const controller = new AbortController();
  const admission = gate.admit(QueryMode.Writable, controller.signal);
  controller.abort(new DOMException("too late", "TimeoutError"));
  expect(admission.signal.reason).toMatchObject({ code: "DEADLINE_EXCEEDED" });
  const other = new AbortController();
  gate.admit(QueryMode.Writable, other.signal)[Symbol.dispose]();
  expect(getEventListeners(other.signal, "abort")).toEqual([]);
});

test("a caller who has given up is not admitted", async () => {
  const { gate } = await servingGate();
  expect(() => gate.admit(QueryMode.Writable, AbortSignal.abort())).toThrow(
    expect.objectContaining({ code: "CANCELLED" }),
  );
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
  const admission = gate.admit(QueryMode.Writable, undefined);
  const target = { ...SERVING, status: ServingStatus.ServingReadOnly };
  const leaving = failureOf(gate.setTarget(target, undefined));
  await settled();
  isOpen = false;
  const closing = gate.close();
  expect(admission.signal.reason).toMatchObject({ code: "NOT_OPEN" });
  admission[Symbol.dispose]();
  expect(await leaving).toMatchObject({ code: "NOT_OPEN" });
  await closing;
  expect(gate.isServing).toBe(false);
});
