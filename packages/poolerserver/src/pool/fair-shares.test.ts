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

test("a cap leaves what its members may not have to the others", () => {
  const caps = [{ limit: 3, members: [0, 1] }];
  expect(fairShares([9, 9, 9], 12, caps)).toEqual([2, 1, 9]);
  expect(fairShares([9, 9, 1], 4, caps)).toEqual([2, 1, 1]);
  expect(fairShares([9, 9], 9, [{ limit: 0, members: [0] }])).toEqual([0, 9]);
});

test("no demand is satisfied beyond a cap, and nobody lacks what a cap allows and is left", () => {
  const cap = fc.record({ limit: fc.nat(20), members: fc.uniqueArray(fc.nat(5)) });
  fc.assert(
    fc.property(
      fc.array(fc.nat(15), { minLength: 6, maxLength: 6 }),
      fc.nat(40),
      fc.array(cap, { maxLength: 3 }),
      (demands, total, caps) => {
        const wanted = demands.reduce((sum, demand) => sum + demand, 0);
        // Without a surplus, which is spread without looking at demands.
        fc.pre(wanted >= total && caps.length > 0);
        const shares = fairShares(demands, total, caps);
        const sumOf = (members: readonly number[]): number =>
          members.reduce(
            (sum, index) => sum + Math.min(shares[index] ?? 0, demands[index] ?? 0),
            0,
          );
        expect(shares.reduce((sum, share) => sum + share, 0)).toBeLessThanOrEqual(total);
        for (const { limit, members } of caps) {
          expect(sumOf(members)).toBeLessThanOrEqual(limit);
        }
        const isBound = (index: number): boolean =>
          caps.some(({ limit, members }) => members.includes(index) && sumOf(members) >= limit);
        const isShort = shares.some(
          (share, index) => share < (demands[index] ?? 0) && !isBound(index),
        );
        const given = sumOf([...demands.keys()]);
        expect(isShort && given < total).toBe(false);
      },
    ),
  );
});
