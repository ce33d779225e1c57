import { poolerServingStatusToJSON, routingRoleToJSON } from "@multipooler/proto/clustermetadata";
import type { ManagerStatus } from "@multipooler/manager";
import { expect, test } from "vitest";
import { managerStatus } from "../../test/fake-manager.ts";
import { poolerHealthMessage } from "./pooler-health-message.ts";

type Serving = ManagerStatus["serving"];
type Target = Serving["current"];

const PRIMARY: Target = { status: "SERVING", role: "PRIMARY", reason: "it is" };
const REPLICA: Target = { status: "SERVING_RDONLY", role: "REPLICA", reason: "it is" };
const STOPPED: Target = { status: "NOT_SERVING", role: "REPLICA", reason: "it is away" };
const DRAINED: Target = { status: "DRAINED", role: "REPLICA", reason: "an operator asks for it" };

/** What a message says of a pooler, in short. */
function said(change: Partial<ManagerStatus>): string {
  const message = poolerHealthMessage({ ...managerStatus(), ...change }, 90_000);
  const role = routingRoleToJSON(message.routingState?.role ?? 0);
  return `${poolerServingStatusToJSON(message.servingStatus)} ${role.slice("ROUTING_ROLE_".length)}`;
}

test.each<[what: string, ready: boolean, serving: Serving, said: string]>([
  ["a primary", true, { current: PRIMARY, wanted: undefined }, "SERVING PRIMARY"],
  ["a replica", true, { current: REPLICA, wanted: undefined }, "SERVING REPLICA"],
  ["a primary that stops", false, { current: PRIMARY, wanted: STOPPED }, "DRAINING PRIMARY"],
  ["a primary that steps down", false, { current: PRIMARY, wanted: REPLICA }, "DRAINING PRIMARY"],
  ["a replica to be promoted", false, { current: REPLICA, wanted: PRIMARY }, "DRAINING REPLICA"],
  [
    "a primary that waits to be announced",
    false,
    { current: PRIMARY, wanted: PRIMARY },
    "NOT_SERVING REPLICA",
  ],
  [
    "a primary that waits for a new rule",
    false,
    {
      current: PRIMARY,
      wanted: { ...PRIMARY, term: { coordinatorTerm: 2n, leaderSubterm: 0n } },
    },
    "NOT_SERVING PRIMARY",
  ],
  ["one about to be primary", false, { current: STOPPED, wanted: PRIMARY }, "NOT_SERVING REPLICA"],
  ["one without a database", false, { current: STOPPED, wanted: undefined }, "NOT_SERVING REPLICA"],
  ["a drained one", false, { current: DRAINED, wanted: undefined }, "DRAINING REPLICA"],
  [
    "a primary that no query gets through to",
    false,
    { current: PRIMARY, wanted: undefined },
    "NOT_SERVING PRIMARY",
  ],
])("%s", (_what, ready, serving, expected) => {
  expect(said({ ready, serving })).toBe(expected);
});

test("a primary shows its rule, or the first one; a replica what it knows", () => {
  const rule = (current: Target): unknown =>
    poolerHealthMessage({ ...managerStatus(), serving: { current, wanted: undefined } }, 90_000)
      .routingState?.rule;
  const term = { coordinatorTerm: 7n, leaderSubterm: 2n };
  expect(rule({ ...PRIMARY, term })).toEqual(term);
  expect(rule(PRIMARY)).toEqual({ coordinatorTerm: 1n, leaderSubterm: 0n });
  expect(rule({ ...REPLICA, term })).toEqual(term);
  expect(rule(REPLICA)).toBeUndefined();
});

test("identity, patience and the lag of a replica go with it", () => {
  const heartbeat = { mode: "reader", lagMs: 1234.5, lastError: undefined } as const;
  expect(poolerHealthMessage({ ...managerStatus(), heartbeat }, 1500)).toMatchObject({
    poolerId: { component: 1, cell: "zone1", name: "abc12345" },
    recommendedStalenessTimeout: { seconds: 1n, nanos: 500_000_000 },
    replicationLagNs: 1_234_500_000n,
  });
  const unknown = { ...heartbeat, lagMs: undefined };
  expect(
    poolerHealthMessage({ ...managerStatus(), heartbeat: unknown }, 1500).replicationLagNs,
  ).toBe(0n);
  expect(poolerHealthMessage(managerStatus(), 1500).replicationLagNs).toBe(0n);
});
