import { startPostgres } from "@multipooler/test-postgres";
import { systemClock, sleep } from "@multipooler/timing";
import { PoolerServingStatus, RoutingRole } from "@multipooler/topo";
import { MemoryTopology } from "@multipooler/topo/memory";
import { expect, test } from "vitest";
import type { HeartbeatStatus, ManagerStatus } from "../src/manager-status.ts";
import { PoolerType } from "../src/record/pooler-type.ts";
import { ManagerFixture } from "./manager-fixture.ts";
import { PATIENCE } from "./patience.ts";
import { listenAsPeer } from "./peer.ts";
import { configFor } from "./server.ts";
import { FIRST, SECOND, freeze, sceneOf, thaw } from "./watch-scene.ts";
import type { Scene, WatchedServer } from "./watch-scene.ts";

/** How long after a change status, record and heartbeat may still be as they were. */
const LIMIT_MS = 1_000;
/** Five servers are started, and most of them again. */
const TIMEOUT_MS = 120_000;
/** The default, which the tests of everything else shorten. */
const HEALTH_INTERVAL_MS = 1_000;
const POLL_MS = 5;

/** What a pooler serves: what others read of it in its record, and what it does with the heartbeat. */
const STATES = {
  nothing: { serving: "NOT_SERVING", role: "ROUTING_ROLE_REPLICA", heartbeat: "off" },
  reads: { serving: "SERVING", role: "ROUTING_ROLE_REPLICA", heartbeat: "reader" },
  writes: { serving: "SERVING", role: "ROUTING_ROLE_PRIMARY", heartbeat: "writer" },
} as const;

/** What somebody does to the server, how the status has it, and what the pooler serves from then on. */
interface Change<Place> {
  /** Resolves as soon as it is done. */
  readonly happen: (place: Place) => Promise<void> | void;
  readonly isTold: (status: ManagerStatus) => boolean;
  readonly leadsTo: keyof typeof STATES;
}

type Changes<Place> = Readonly<Record<string, Change<Place>>>;

const isAway = ({ database }: ManagerStatus): boolean => !database.reachable;
const isReachable = ({ database }: ManagerStatus): boolean => database.reachable;
const isPrimary = ({ database: { reachable, inRecovery } }: ManagerStatus): boolean =>
  reachable && inRecovery === false;
const isStandby = ({ database: { reachable, inRecovery } }: ManagerStatus): boolean =>
  reachable && inRecovery === true;

const die = ({ server }: WatchedServer): Promise<void> => server.kill();
const start = ({ server }: WatchedServer): Promise<void> => server.start();
const promote = async ({ server }: WatchedServer): Promise<void> =>
  void (await server.sql("SELECT pg_promote()"));
const demote = ({ server }: WatchedServer): Promise<void> => server.restart({ role: "standby" });

/**
 * In the order in which they happen; each begins where the one before has led. A server that hangs may only be
 * slow: what is served stays, and the pooler is not ready.
 */
const REPLICA_CHANGES: Changes<Scene> = {
  hangs: { happen: freeze, isTold: isAway, leadsTo: "reads" },
  "answers again": { happen: thaw, isTold: isReachable, leadsTo: "reads" },
  died: { happen: die, isTold: isAway, leadsTo: "nothing" },
  "came back": { happen: start, isTold: isReachable, leadsTo: "reads" },
  "was promoted by somebody else": { happen: promote, isTold: isPrimary, leadsTo: "reads" },
  "was demoted by somebody else": { happen: demote, isTold: isStandby, leadsTo: "reads" },
  "moved to another address": {
    happen: ({ names }) => void names.splice(0, 1, SECOND),
    isTold: isPrimary,
    leadsTo: "reads",
  },
  "has another system identifier": {
    happen: ({ second, stranger }) => second.replace(stranger.port),
    isTold: ({ notReadyCode }) => notReadyCode === "WRONG_CLUSTER",
    leadsTo: "nothing",
  },
  "has the right one again": {
    happen: ({ second, primary }) => second.replace(primary.port),
    isTold: ({ ready }) => ready,
    leadsTo: "reads",
  },
  "is on another timeline": {
    happen: async ({ second, branch, primary, owner }) => {
      await primary.restart({ role: "standby" });
      await primary.sql("SELECT pg_promote()");
      await owner.untilReady();
      second.replace(branch.port);
    },
    isTold: ({ notReadyCode }) => notReadyCode === "DIVERGED",
    leadsTo: "nothing",
  },
};

const PRIMARY_CHANGES: Changes<WatchedServer> = {
  hangs: { happen: freeze, isTold: isAway, leadsTo: "writes" },
  "answers again": { happen: thaw, isTold: isReachable, leadsTo: "writes" },
  died: { happen: die, isTold: isAway, leadsTo: "nothing" },
  "came back": { happen: start, isTold: isReachable, leadsTo: "writes" },
  "was demoted by somebody else": { happen: demote, isTold: isStandby, leadsTo: "reads" },
  "was promoted by somebody else": { happen: promote, isTold: isPrimary, leadsTo: "writes" },
};

test(
  "status, record and heartbeat of a replica follow each change within a second",
  { timeout: TIMEOUT_MS },
  async ({ annotate }) => {
    await using parts = new AsyncDisposableStack();
    const servers = new MemoryTopology();
    const scene = await sceneOf(parts, servers);
    const { first, second, names, owner } = scene;
    const x = parts.use(await listenAsPeer(first.accept, { host: FIRST, port: 0 }));
    parts.use(await listenAsPeer(second.accept, { host: SECOND, port: x.port }));
    await owner.open();
    await owner.untilReady();
    await using fixture = new ManagerFixture({
      servers,
      name: "watched",
      initialType: PoolerType.Replica,
      database: {
        ...configFor(scene.server),
        address: { type: "tcp", host: "db", port: x.port },
        lookup: async () => names,
      },
      manager: { healthIntervalMs: HEALTH_INTERVAL_MS },
    });
    await annotate(await expectInTime(fixture, scene, REPLICA_CHANGES));
  },
);

test(
  "status, record and heartbeat of a primary follow each change within a second",
  { timeout: TIMEOUT_MS },
  async ({ annotate }) => {
    await using server = await startPostgres();
    await using fixture = new ManagerFixture({
      initialType: PoolerType.Primary,
      database: configFor(server),
      manager: { healthIntervalMs: HEALTH_INTERVAL_MS },
    });
    await annotate(await expectInTime(fixture, { server, frozen: [] }, PRIMARY_CHANGES));
  },
);

/** Has all happen, and resolves with how long each took to be seen everywhere. */
async function expectInTime<Place>(
  fixture: ManagerFixture,
  place: Place,
  changes: Changes<Place>,
): Promise<string> {
  await fixture.open();
  await fixture.untilReady();
  const late: string[] = [];
  const times: string[] = [];
  for (const [what, change] of Object.entries(changes)) {
    // From now on: some take longer to happen than to be seen.
    const seenAt = untilSeen(fixture, change);
    await change.happen(place);
    const since = performance.now();
    const ms = Math.max(0, Math.round((await seenAt) - since));
    times.push(`${what}: ${ms} ms`);
    if (ms >= LIMIT_MS) {
      late.push(`${what}: ${ms} ms`);
    }
  }
  expect(late).toEqual([]);
  return times.join("; ");
}

/** Resolves with when it is in the status, in the record, and in the heartbeat, all at once. */
async function untilSeen(
  fixture: ManagerFixture,
  { isTold, leadsTo }: Pick<Change<never>, "isTold" | "leadsTo">,
): Promise<number> {
  const { serving, role, heartbeat } = STATES[leadsTo];
  const wanted = { isTold: true, serving, role, heartbeat };
  const limit = performance.now() + PATIENCE.timeout;
  for (;;) {
    const status = fixture.manager.status();
    const { servingStatus, routingState } = await fixture.record();
    const found = {
      isTold: isTold(status),
      serving: nameIn(PoolerServingStatus, servingStatus),
      role: nameIn(RoutingRole, routingState?.role),
      heartbeat: beating(status.heartbeat),
    };
    if (JSON.stringify(found) === JSON.stringify(wanted)) {
      return performance.now();
    }
    if (performance.now() > limit) {
      expect(found).toEqual(wanted);
    }
    await sleep(systemClock, POLL_MS, undefined);
  }
}

/** A writer is one when it has written. */
function beating(heartbeat: HeartbeatStatus): string {
  const isIdle = heartbeat.mode === "writer" && heartbeat.lastWrittenAt === undefined;
  return isIdle ? "not written yet" : heartbeat.mode;
}

function nameIn(names: Readonly<Record<string, number>>, value: number | undefined): string {
  return Object.keys(names).find((name) => names[name] === value) ?? "absent";
}
