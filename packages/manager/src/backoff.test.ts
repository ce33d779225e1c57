import fc from "fast-check";
import { expect, test } from "vitest";
import { Backoff } from "./backoff.ts";

test("each delay lies below a bound that doubles up to the largest, until it is reset", () => {
  fc.assert(
    fc.property(
      fc.array(fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })),
      (draws) => {
        const numbers = draws.values();
        const backoff = new Backoff({
          minMs: 100,
          maxMs: 5_000,
          random: () => numbers.next().value ?? 0,
        });
        let bound = 100;
        for (const draw of draws) {
          expect(backoff.next()).toBe(draw * bound);
          bound = Math.min(bound * 2, 5_000);
        }
        backoff.reset();
        expect(backoff.next()).toBeLessThan(100);
      },
    ),
  );
});
