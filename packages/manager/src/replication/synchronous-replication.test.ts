import { expect, test } from "vitest";
import { ManagerErrorCode } from "../manager-error.ts";
import type { PoolerIdentity } from "../record/pooler-type.ts";
import { parseStandbyNames } from "./standby-names.ts";
import { afterUpdate, checkSynchronous, synchronousOf } from "./synchronous-replication.ts";

const pooler = (name: string): PoolerIdentity => ({ cell: "zone1", name });
const A = pooler("a");
const B = pooler("b");
const C = pooler("c");
const CONFIGURED = { commit: "on", method: "any", count: 2, standbys: [A, B] } as const;

test.each([
  ["add", [C], 2, [A, B, C]],
  ["add", [B, C], 2, [A, B, C]],
  ["add", [B], 2, [A, B]],
  ["remove", [A], 1, [B]],
  ["remove", [C], 2, [A, B]],
  ["replace", [C], 1, [C]],
  ["replace", [C, B, A], 2, [C, B, A]],
] as const)(
  "%s %j keeps the order and never waits for more than there are",
  (operation, standbys, count, left) => {
    expect(afterUpdate(CONFIGURED, { operation, standbys })).toEqual({
      ...CONFIGURED,
      count,
      standbys: left,
    });
  },
);

test("what leaves nobody to wait for is refused", () => {
  expect(() => afterUpdate(CONFIGURED, { operation: "remove", standbys: [B, A] })).toThrow(
    expect.objectContaining({
      code: ManagerErrorCode.InvalidArgument,
      message: "resulting standby list cannot be empty after operation",
    }),
  );
});

test.each([
  [{ count: -1 }, "num_sync is -1; it must be a whole number from 0"],
  [{ count: 1.5 }, "num_sync is 1.5; it must be a whole number from 0"],
  [{ count: 3 }, "num_sync is 3, and there are only 2 standbys to wait for"],
  [{ standbys: [A, A] }, "standby_ids has zone1_a twice"],
  [
    { standbys: [{ cell: "", name: "a" }] },
    'standby_ids[0].cell is ""; it must be a name without "_", "/", spaces or control characters',
  ],
  [
    { standbys: [A, { cell: "zone1", name: "b_c" }] },
    'standby_ids[1].name is "b_c"; it must be a name without "_", "/", spaces or control characters',
  ],
])("%j is refused", (change, message) => {
  expect(() => checkSynchronous({ ...CONFIGURED, ...change })).toThrow(
    expect.objectContaining({ code: ManagerErrorCode.InvalidArgument, message }),
  );
});

test.each([
  ["", "on"],
  ["*", "on"],
  ["somebody", "on"],
  ["ANY 1 (zone1_a, somebody)", "on"],
  ["zone1_a", "unheard of"],
])("%j with %j is not what poolers write", (names, commit) => {
  expect(synchronousOf(parseStandbyNames(names), commit)).toBeUndefined();
});

test("what poolers write is known again", () => {
  expect(synchronousOf(parseStandbyNames('ANY 2 ("zone1_a", "zone1_b")'), "on")).toEqual(
    CONFIGURED,
  );
});
