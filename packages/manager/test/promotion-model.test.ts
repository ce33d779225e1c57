import fc from "fast-check";
import { expect, test } from "vitest";
import { ModelledShard, POOLERS } from "./modelled-shard.ts";
import type { Act } from "./modelled-shard.ts";

/** Each run opens three poolers, and does some twenty things to them. */
const RUNS = 12;
const TIMEOUT_MS = 240_000;

const pooler = fc.constantFrom(...POOLERS);
const ahead = fc.integer({ min: 0, max: 2 });
/** Most changes are not killed. */
const killedAt = fc.option(
  fc.constantFrom(
    "claim the shard",
    "stop serving",
    "follow nobody",
    "promote",
    "lead the term",
    "become primary",
    "restart as standby",
    "become replica",
    "give up the term",
    "serve",
  ),
  { nil: undefined, freq: 2 },
);

const act: fc.Arbitrary<Act> = fc.oneof(
  fc.record({ type: fc.constant("vote" as const), on: pooler, ahead, for: pooler }),
  { arbitrary: fc.record({ type: fc.constant("recruit" as const), on: pooler, ahead }), weight: 3 },
  {
    arbitrary: fc.record({
      type: fc.constantFrom(
        "promote" as const,
        "promote" as const,
        "demote" as const,
        "undo" as const,
      ),
      on: pooler,
      killedAt,
    }),
    weight: 6,
  },
  fc.record({ type: fc.constant("restart" as const), on: pooler }),
);

test(
  "whatever coordinators and kills do to three poolers, a term has one primary, no earlier term takes the shard back, and a new one ends it",
  { timeout: TIMEOUT_MS },
  async () => {
    const rounds = fc.array(fc.array(act, { minLength: 1, maxLength: 3 }), { maxLength: 8 });
    await fc.assert(
      fc.asyncProperty(rounds, pooler, async (planned, last) => {
        await using shard = await ModelledShard.open();
        for (const acts of planned) {
          await shard.perform(acts);
        }
        expect(await shard.takeOver(last)).toBe("PRIMARY: PRIMARY SERVING");
        expect(shard.violations).toEqual([]);
      }),
      { numRuns: RUNS },
    );
  },
);
