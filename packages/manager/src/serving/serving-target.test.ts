import { PoolerRole, ServingStatus } from "@multipooler/controller-api";
import { expect, test } from "vitest";
import type { DatabaseHealth } from "../database/database-monitor.ts";
import { ManagerError, ManagerErrorCode } from "../manager-error.ts";
import { PoolerType } from "../record/pooler-type.ts";
import type { OperatorIntent } from "./operator-intent.ts";
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

const FREE: OperatorIntent = { status: ServingStatus.Serving, reason: "" };

const cases = Object.entries(HEALTH).flatMap(([health, database]) =>
  Object.values(PoolerType).map((type) => ({ health, database, type })),
);

test.each(cases)("$health and $type", ({ health, database, type }) => {
  const { role, status, reason } = deriveTarget({ database, type, intent: FREE });
  const expected = Object.entries(TARGETS).find(([name]) => name === health)?.[1][type];
  expect(`${role} ${status}`).toBe(expected);
  expect(reason).not.toBe("");
});

test("a standby says so, since it refuses writes by itself", () => {
  const facts = { type: PoolerType.Replica, intent: FREE };
  const standby = deriveTarget({ ...facts, database: HEALTH.standby });
  const promoted = deriveTarget({ ...facts, database: HEALTH.primary });
  expect([standby.inRecovery, promoted.inRecovery]).toEqual([true, false]);
  expect(sameTarget(standby, promoted)).toBe(false);
});

/** How much a target lets in. */
const PERMITS: Readonly<Record<ServingStatus, number>> = {
  NOT_SERVING: 0,
  DRAINED: 0,
  SERVING_RDONLY: 1,
  SERVING: 2,
};

const wishes = cases.flatMap(({ health, database, type }) =>
  Object.values(ServingStatus).map((status) => ({ health, database, type, status })),
);

test.each(wishes)(
  "$status by an operator takes away from $health and $type, and adds nothing",
  ({ database, type, status }) => {
    const free = deriveTarget({ database, type, intent: FREE });
    const target = deriveTarget({ database, type, intent: { status, reason: "an upgrade" } });
    expect(PERMITS[target.status]).toBe(Math.min(PERMITS[free.status], PERMITS[status]));
    expect(target.role === PoolerRole.Primary).toBe(target.status === ServingStatus.Serving);
    // DRAINED is the stricter one: what waits for the sessions to end is not kept waiting.
    const isDrained = status === ServingStatus.Drained || free.status === ServingStatus.Drained;
    expect(target.status === ServingStatus.Drained).toBe(isDrained);
  },
);

test("an operator's words are the reason", () => {
  const facts = { database: HEALTH.primary, type: PoolerType.Primary };
  const reasons = Object.values(ServingStatus).map(
    (status) => deriveTarget({ ...facts, intent: { status, reason: "an upgrade" } }).reason,
  );
  expect(reasons).toEqual([
    "PostgreSQL is out of recovery and the topology says PRIMARY",
    "made read-only by an operator: an upgrade",
    "drained by an operator: an upgrade",
    "stopped by an operator: an upgrade",
  ]);
  const drain = { status: ServingStatus.Drained, reason: "" };
  expect(deriveTarget({ ...facts, intent: drain }).reason).toBe("drained by an operator");
});

test("a database that is away is the reason in its own words", () => {
  const facts = { database: HEALTH.down, type: PoolerType.Primary, intent: FREE };
  expect(deriveTarget(facts).reason).toBe("PostgreSQL is away");
});

test("targets are the same when status, role and term are, whatever the reason", () => {
  const target = deriveTarget({
    database: HEALTH.primary,
    type: PoolerType.Primary,
    intent: FREE,
  });
  const term = { coordinatorTerm: 2n, leaderSubterm: 1n };
  expect(sameTarget(target, { ...target, reason: "other" })).toBe(true);
  expect(sameTarget(target, { ...target, term })).toBe(false);
  expect(sameTarget({ ...target, term }, { ...target, term: { ...term } })).toBe(true);
  expect(sameTarget({ ...target, term }, { ...target, term: { ...term, leaderSubterm: 2n } })).toBe(
    false,
  );
  expect(sameTarget(target, notServing("closing"))).toBe(false);
});

test.each([
  { term: undefined, expected: "PRIMARY SERVING, no term" },
  { term: { number: 3n, superseded: undefined }, expected: "PRIMARY SERVING, term 3" },
  {
    term: { number: 4n, superseded: "term 4 is known" },
    expected: "REPLICA SERVING_RDONLY, no term",
  },
])("a primary takes writes under no term or one that it leads: $expected", ({ term, expected }) => {
  const facts = { database: HEALTH.primary, type: PoolerType.Primary, intent: FREE, term };
  const target = deriveTarget(facts);
  const routed = target.term === undefined ? "no term" : `term ${target.term.coordinatorTerm}`;
  expect(`${target.role} ${target.status}, ${routed}`).toBe(expected);
  expect(target.reason).toContain(term?.superseded ?? "the topology says PRIMARY");
});

test("two statuses admit queries, two do not", () => {
  expect(admits("SERVING")).toBe(true);
  expect(admits("SERVING_RDONLY")).toBe(true);
  expect(admits("DRAINED")).toBe(false);
  expect(admits("NOT_SERVING")).toBe(false);
});
