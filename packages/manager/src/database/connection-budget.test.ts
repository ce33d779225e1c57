import type { ConnectionSlot } from "@multipooler/controller-api";
import fc from "fast-check";
import { expect, test } from "vitest";
import { ServerBudget } from "./connection-budget.ts";

test("nothing is given out before the server told its limit", () => {
  const budget = new ServerBudget({ maxConnections: 100, reserved: 3 });
  expect(budget.limit).toBe(0);
  expect(budget.used).toBe(3);
  expect(budget.tryAcquire()).toBeUndefined();
});

test("the limit is the smaller of the server's and the configured one, never below zero", () => {
  const budget = new ServerBudget({ maxConnections: 10, reserved: 3 });
  budget.adoptServerLimit(97);
  expect(budget.limit).toBe(10);
  budget.adoptServerLimit(7);
  expect(budget.limit).toBe(7);
  budget.adoptServerLimit(-2);
  expect(budget.limit).toBe(0);
});

type Command =
  | { readonly type: "acquire" }
  | { readonly type: "release"; readonly index: number }
  | { readonly type: "limit"; readonly connections: number };

test("however places are taken and given back, twice too, the count is right and in bounds", () => {
  const command: fc.Arbitrary<Command> = fc.oneof(
    fc.record({ type: fc.constant("acquire" as const) }),
    fc.record({ type: fc.constant("release" as const), index: fc.nat(30) }),
    fc.record({
      type: fc.constant("limit" as const),
      connections: fc.integer({ min: -5, max: 20 }),
    }),
  );
  fc.assert(
    fc.property(fc.array(command, { maxLength: 100 }), (commands) => {
      const budget = new ServerBudget({ maxConnections: 15, reserved: 3 });
      const slots: ConnectionSlot[] = [];
      const held = new Set<ConnectionSlot>();
      for (const each of commands) {
        switch (each.type) {
          case "acquire": {
            const free = 3 + held.size < budget.limit;
            const slot = budget.tryAcquire();
            expect(slot !== undefined).toBe(free);
            if (slot === undefined) {
              break;
            }
            slots.push(slot);
            held.add(slot);
            break;
          }
          case "release": {
            const slot = slots[each.index];
            slot?.release();
            if (slot !== undefined) {
              held.delete(slot);
            }
            break;
          }
          case "limit":
            budget.adoptServerLimit(each.connections);
            break;
        }
        expect(budget.used).toBe(3 + held.size);
      }
    }),
  );
});
