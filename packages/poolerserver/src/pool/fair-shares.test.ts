import fc from "fast-check";
import { expect, test } from "vitest";
import { fairShares } from "./fair-shares.ts";

test.each<[string, number[], number, number[]]>([
  ["everybody gets what is wanted, and the rest is spread", [1, 2, 0], 9, [3, 4, 2]],
  ["a flood gets what the others leave", [100, 1, 2], 10, [7, 1, 2]],
  ["two floods get the same", [100, 50, 1], 11, [5, 5, 1]],
  ["too little for all goes to the first", [3, 3, 3], 2, [1, 1, 0]],
  ["nobody wants anything", [0, 0], 3, [2, 1]],
  ["there is nothing", [3, 1], 0, [0, 0]],
  ["there is nobody", [], 5, []],
])("%s", (_, demands, total, shares) => {
  expect(fairShares(demands, total)).toEqual(shares);
});

test("all is given out, and nobody lacks what somebody else has more of", () => {
  fc.assert(
    fc.property(
      fc.array(fc.nat(30), { minLength: 1, maxLength: 12 }),
      fc.nat(60),
      (demands, total) => {
        const shares = fairShares(demands, total);
        expect(shares.reduce((sum, share) => sum + share, 0)).toBe(total);
        for (const [index, share] of shares.entries()) {
          if (share < (demands[index] ?? 0)) {
            expect(Math.max(...shares)).toBeLessThanOrEqual(share + 1);
          }
        }
      },
    ),
  );
});
