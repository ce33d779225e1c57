import { expect, test } from "vitest";
import { FakeBackend } from "../../test/fake-backend.ts";
import { UserTotals } from "./user-totals.ts";

const TICK_MS = 1 / 1024;
/** A connection that has worked for long, or several that have. */
const LONG_MS = 2 ** 40;

function work(backend: FakeBackend, ticks: number): void {
  const { activity } = backend;
  const requests = activity.requests + 1;
  backend.activity = { ...activity, requests, busyMs: activity.busyMs + ticks * TICK_MS };
}

test("what is done beside reservations stays as it is while they work, however many there were", () => {
  const totals = new UserTotals("app");
  const backend = new FakeBackend();
  totals.add(backend);
  backend.activity = { ...backend.activity, busyMs: LONG_MS };
  const regular = (): number => totals.figures().regular.connections.busyMs;
  const seen = new Set<number>();
  for (let reservation = 0; reservation < 100; reservation += 1) {
    totals.beginReservation(backend);
    work(backend, 1 + reservation * 3);
    seen.add(regular());
    totals.endReservation(backend);
    seen.add(regular());
  }
  expect([...seen]).toEqual([LONG_MS]);
  work(backend, 5);
  expect(regular()).toBe(LONG_MS + 5 * TICK_MS);
});

test("a reservation has what its connection did while it held it, and has it when that is gone", () => {
  const totals = new UserTotals("app");
  const backend = new FakeBackend();
  totals.add(backend);
  work(backend, 1024);
  totals.beginReservation(backend);
  work(backend, 2048);
  expect(totals.reservedConnections()).toMatchObject({ requests: 1, busyMs: 2 });
  totals.remove(backend);
  totals.endReservation(backend);
  expect(totals.reservedConnections()).toMatchObject({ requests: 1, busyMs: 2 });
  expect(totals.figures().regular.connections).toMatchObject({ requests: 1, busyMs: 1 });
});
