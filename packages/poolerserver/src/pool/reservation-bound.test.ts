import fc from "fast-check";
import { expect, test } from "vitest";
import { acquire } from "../../test/borrowing.ts";
import { setUp } from "../../test/scheduler-scene.ts";
import { failureOf, settled } from "../../test/settled.ts";
import { TestUnit } from "../../test/unit-client.ts";
import { reservableOf } from "./reservation-bound.ts";

test.each([
  [100, 0.2, 20],
  [10, 0.9, 9],
  [10, 0.25, 3],
  [1, 0.2, 1],
  [0, 0.5, 1],
  [7, 1, 7],
])("of %i connections at %d reservations may hold %i", (total, ratio, limit) => {
  expect(reservableOf(total, ratio)).toBe(limit);
});

test("reservations leave connections to statements, and get one in their order when one ends", async () => {
  const { pool, server } = setUp({ capacity: 4, reservedRatio: 0.5 });
  const [first] = await Promise.all([
    acquire(pool, { reserves: true }),
    acquire(pool, { reserves: true }),
  ]);
  const granted: string[] = [];
  const reserve = (name: string): Promise<void> =>
    acquire(pool, { origin: name, reserves: true }).then(() => void granted.push(name));
  const waiting = [reserve("a"), reserve("b")];
  expect(server.backends).toHaveLength(2);
  const statements = await Promise.all([acquire(pool), acquire(pool)]);
  expect(statements.map(({ backend }) => backend)).toEqual(server.backends.slice(2));
  void statements[0].release();
  expect((await acquire(pool)).backend).toBe(statements[0].backend);
  await settled();
  expect(granted).toEqual([]);
  void first.release();
  await waiting[0];
  expect(granted).toEqual(["a"]);
});

test("a reservation that was cut makes room for the next one", async () => {
  const { pool } = setUp({ capacity: 2, reservedRatio: 0.5 });
  const first = await acquire(pool, { reserves: true });
  const next = acquire(pool, { reserves: true });
  await settled();
  first.discard("cut");
  expect((await next).backend).not.toBe(first.backend);
});

test("one that waits too long is told of the bound, and is the only one that is refused", async () => {
  const { pool, clock } = setUp({ capacity: 2, reservedRatio: 0.5 });
  await acquire(pool, { reserves: true });
  const refused = failureOf(acquire(pool, { reserves: true }));
  await settled();
  clock.step(500);
  expect(await refused).toMatchObject({
    code: "POOL_EXHAUSTED",
    message: expect.stringMatching(/raise reservedRatio\): .* holds 1 .* may hold 1 .*0\.5/),
  });
  await acquire(pool);
});

test("without a bound reservations take the same turns as all others", async () => {
  const { pool } = setUp({ capacity: 1 });
  const held = await acquire(pool, { reserves: true });
  const order: string[] = [];
  const wait = async (name: string, reserves: boolean): Promise<void> => {
    const lease = await acquire(pool, { origin: name, reserves });
    order.push(name);
    void lease.release();
  };
  const waits = [wait("a", true), wait("b", false), wait("c", true)];
  void held.release();
  await Promise.all(waits);
  expect(order).toEqual(["a", "b", "c"]);
});

const steps = fc.array(
  fc.oneof(
    fc.record({ do: fc.constant("ask" as const), reserves: fc.boolean(), origin: fc.nat(2) }),
    fc.record({ do: fc.constantFrom("release", "withdraw"), index: fc.nat(9) }),
  ),
  { maxLength: 60 },
);

test("whatever happens, reservations keep to their bound and nobody waits in vain", async () => {
  await fc.assert(
    fc.asyncProperty(steps, fc.constantFrom(0.25, 0.5, 0.75), async (run, reservedRatio) => {
      const { pool, clock } = setUp({ capacity: 4, reservedRatio });
      const limit = 4 * reservedRatio;
      const units: TestUnit[] = [];
      const those = (type: string): TestUnit[] => units.filter((one) => one.outcome.type === type);
      for (const step of run) {
        if (step.do === "ask") {
          const origin = `${step.origin}`;
          const id = units.length;
          const unit = new TestUnit({ id, origin, kind: "exclusive", reserves: step.reserves });
          units.push(unit);
          pool.submit(unit);
        } else {
          change(pool, those(step.do === "release" ? "held" : "waiting"), step.index);
        }
        await settled();
        const reserved = those("held").filter(({ reserves }) => reserves);
        expect(reserved.length).toBeLessThanOrEqual(limit);
        const waiting = those("waiting").filter(
          ({ reserves }) => !reserves || reserved.length < limit,
        );
        expect(waiting.length === 0 || those("held").length === 4).toBe(true);
      }
      const closed = pool.close();
      clock.step(300);
      await closed;
      expect(clock.pending).toBe(0);
    }),
    { numRuns: 100 },
  );
});

/** Gives a session back, or withdraws a unit that waits. */
function change(
  pool: ReturnType<typeof setUp>["pool"],
  units: readonly TestUnit[],
  index: number,
): void {
  const unit = units[index % Math.max(1, units.length)];
  if (unit?.outcome.type === "held") {
    const { lease } = unit.outcome;
    unit.outcome = { type: "given back" };
    void lease.release();
  } else if (unit !== undefined) {
    expect(pool.withdraw(unit)).toBe(true);
    unit.outcome = { type: "withdrawn" };
  }
}
