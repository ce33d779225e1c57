import fc from "fast-check";
import { expect, test } from "vitest";
import { CLIENTS, SERVING, SessionWorld } from "../../test/session-world.ts";
import { settled } from "../../test/settled.ts";

const VERBS = ["read", "read", "read", "fail", "write", "alone", "begin", "commit", "taint"];

type Step =
  | {
      readonly type: "send";
      readonly client: number;
      readonly verbs: string[];
      readonly isExtended: boolean;
    }
  | { readonly type: "answer" | "lose"; readonly backend: number }
  | {
      readonly type: "cancel" | "end" | "boundary" | "stop reading" | "read";
      readonly client: number;
    }
  | { readonly type: "drain" };

const client = fc.nat({ max: CLIENTS - 1 });
const backend = fc.nat({ max: 3 });
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      type: fc.constant("send" as const),
      client,
      verbs: fc.array(fc.constantFrom(...VERBS), { minLength: 1, maxLength: 4 }),
      isExtended: fc.boolean(),
    }),
  },
  { weight: 12, arbitrary: fc.record({ type: fc.constant("answer" as const), backend }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant("lose" as const), backend }) },
  {
    weight: 3,
    arbitrary: fc.record({
      type: fc.constantFrom("cancel" as const, "stop reading" as const, "read" as const),
      client,
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ type: fc.constantFrom("end" as const, "boundary" as const), client }),
  },
  { weight: 1, arbitrary: fc.constant({ type: "drain" as const }) },
);

async function run(world: SessionWorld, next: Step): Promise<void> {
  switch (next.type) {
    case "send":
      world.send(next.client, next.verbs, next.isExtended);
      break;
    case "answer":
      world.backends[next.backend]?.answer();
      break;
    case "lose":
      world.backends[next.backend]?.lose();
      break;
    case "cancel":
      world.clients[next.client]?.session.cancel();
      break;
    case "end":
      void world.clients[next.client]?.session.end("now");
      break;
    case "boundary":
      void world.clients[next.client]?.session.end("boundary");
      break;
    case "stop reading":
    case "read": {
      const reader = world.clients[next.client];
      if (reader !== undefined && !reader.isEnded && next.type === "read") {
        reader.read();
      } else if (reader !== undefined) {
        reader.isReading = false;
      }
      break;
    }
    case "drain": {
      const drained = world.gate.setTarget({ ...SERVING, status: "DRAINED" }, undefined);
      await settled();
      world.clock.step(1000);
      await settled();
      world.clock.step(5000);
      await world.finish();
      await drained;
      expect(world.gate.counts).toEqual({ single: 0, reserved: 0 });
      await world.gate.setTarget(SERVING, undefined);
    }
  }
  await settled();
}

test("every unit gets its own answer, in order, and a pinned backend serves nobody else", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
      const world = new SessionWorld();
      await world.open();
      for (const next of steps) {
        await run(world, next);
        world.check();
      }
      // Each client is answered in full, at the latest when those are gone that keep a backend.
      for (let round = 0; round < CLIENTS; round += 1) {
        await world.finish();
        world.check();
        world.endPinned();
      }
      await world.finish();
      world.checkComplete();
      const closed = world.sessions.close();
      await world.finish();
      await closed;
      expect(world.sessions.size).toBe(0);
      expect(world.gate.counts).toEqual({ single: 0, reserved: 0 });
      await world.gate.close();
      await world.scheduler.close();
      expect(world.backends.every(({ hasEnded }) => hasEnded)).toBe(true);
      expect(world.clients.every(({ isEnded }) => isEnded)).toBe(true);
    }),
    { numRuns: 150 },
  );
}, 60_000);
