import { expect, test } from "vitest";
import type { DatabaseHealth } from "../database/database-monitor.ts";
import { ManagerError, ManagerErrorCode } from "../manager-error.ts";
import { PoolerType } from "../record/pooler-type.ts";
import { admits, deriveTarget, notServing, sameTarget } from "./serving-target.ts";

const HEALTH: Readonly<
  Record<"unknown" | "down" | "leaving" | "standby" | "primary", DatabaseHealth>
> = {
  unknown: { state: "unknown" },
  down: {
    state: "down",
    error: new ManagerError(ManagerErrorCode.DatabaseUnavailable, "PostgreSQL is away"),
  },
  leaving: {
    state: "down",
    error: new ManagerError(ManagerErrorCode.DatabaseLeaving, "PostgreSQL is shutting down"),
  },
  standby: { state: "up", facts: { inRecovery: true, serverVersion: "17.0" } },
  primary: { state: "up", facts: { inRecovery: false, serverVersion: "17.0" } },
};

const TARGETS: Readonly<Record<keyof typeof HEALTH, Readonly<Record<PoolerType, string>>>> = {
  unknown: {
    PRIMARY: "REPLICA NOT_SERVING",
    REPLICA: "REPLICA NOT_SERVING",
    UNKNOWN: "REPLICA NOT_SERVING",
    DRAINED: "REPLICA DRAINED",
  },
  down: {
    PRIMARY: "REPLICA NOT_SERVING",
    REPLICA: "REPLICA NOT_SERVING",
    UNKNOWN: "REPLICA NOT_SERVING",
    DRAINED: "REPLICA DRAINED",
  },
  leaving: {
    PRIMARY: "REPLICA DRAINED",
    REPLICA: "REPLICA DRAINED",
    UNKNOWN: "REPLICA DRAINED",
    DRAINED: "REPLICA DRAINED",
  },
  standby: {
    PRIMARY: "REPLICA SERVING_RDONLY",
    REPLICA: "REPLICA SERVING_RDONLY",
    UNKNOWN: "REPLICA SERVING_RDONLY",
    DRAINED: "REPLICA DRAINED",
  },
  primary: {
    PRIMARY: "PRIMARY SERVING",
    REPLICA: "REPLICA SERVING_RDONLY",
    UNKNOWN: "REPLICA SERVING_RDONLY",
    DRAINED: "REPLICA DRAINED",
  },
};

const cases = Object.entries(HEALTH).flatMap(([health, database]) =>
  Object.values(PoolerType).map((type) => ({ health, database, type })),
);

test.each(cases)("$health and $type", ({ health, database, type }) => {
  const { role, status, reason } = deriveTarget({ database, type });
  const expected = Object.entries(TARGETS).find(([name]) => name === health)?.[1][type];
  expect(`${role} ${status}`).toBe(expected);
  expect(reason).not.toBe("");
});

test("a standby says so, since it refuses writes by itself", () => {
  const type = PoolerType.Replica;
  const standby = deriveTarget({ database: HEALTH.standby, type });
  const promoted = deriveTarget({ database: HEALTH.primary, type });
  expect([standby.inRecovery, promoted.inRecovery]).toEqual([true, false]);
  expect(sameTarget(standby, promoted)).toBe(false);
});

test("a database that is away is the reason in its own words", () => {
  expect(deriveTarget({ database: HEALTH.down, type: PoolerType.Primary }).reason).toBe(
    "PostgreSQL is away",
  );
});

test("targets are the same when status, role and term are, whatever the reason", () => {
  const target = deriveTarget({ database: HEALTH.primary, type: PoolerType.Primary });
  const term = { coordinatorTerm: 2n, leaderSubterm: 1n };
  expect(sameTarget(target, { ...target, reason: "other" })).toBe(true);
  expect(sameTarget(target, { ...target, term })).toBe(false);
  expect(sameTarget({ ...target, term }, { ...target, term: { ...term } })).toBe(true);
  expect(sameTarget({ ...target, term }, { ...target, term: { ...term, leaderSubterm: 2n } })).toBe(
    false,
  );
  expect(sameTarget(target, notServing("closing"))).toBe(false);
});

test("two statuses admit queries, two do not", () => {
  expect(admits("SERVING")).toBe(true);
  expect(admits("SERVING_RDONLY")).toBe(true);
  expect(admits("DRAINED")).toBe(false);
  expect(admits("NOT_SERVING")).toBe(false);
});
