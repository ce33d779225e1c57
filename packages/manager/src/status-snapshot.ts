import type { ManagedDatabaseStatus } from "./database/managed-database.ts";
import type { ManagerRun } from "./manager-run.ts";
import type { ManagerSettings } from "./manager-settings.ts";
import type { DatabaseStatus, ManagerStatus, TopologyStatus } from "./manager-status.ts";
import { PoolerType } from "./record/pooler-type.ts";
import type { NotReady, NotReadyCode } from "./serving/not-ready.ts";
import { whyNotReady } from "./serving/readiness.ts";

/** When the pooler began to be unready for its present reason. */
export interface UnreadySince {
  readonly code: NotReadyCode;
  readonly at: Date;
}

export interface StatusSources {
  readonly settings: ManagerSettings;
  /** `undefined` while the manager is not open. */
  readonly run: ManagerRun | undefined;
  readonly startedAt: Date;
  /** What was true at the last snapshot. */
  readonly unready: UnreadySince | undefined;
}

/** Takes a snapshot of everything. Reads memory only. */
export function takeSnapshot({ settings, run, startedAt, unready }: StatusSources): ManagerStatus {
  const { controller, pooler } = settings;
  const { current } = controller.servingStatus();
  const progress = run?.parts?.reconciler.progress();
  const database = run?.database.status();
  const notReady = whyNotReady({ settings, run, database });
  return {
    state: run?.state ?? { name: "starting" },
    ready: notReady === undefined,
    notReadyReason: notReady?.reason,
    notReadyCode: notReady?.code,
    notReadySince: since(notReady, unready, settings),
    pooler: pooler.identity,
    shard: pooler.shard,
    type: run?.parts?.registration.type() ?? PoolerType.Unknown,
    serving: {
      current,
      wanted: progress === undefined || progress.reached ? undefined : progress.wanted,
    },
    database: databaseStatus(settings, run, database),
    topology: run?.parts?.registration.status() ?? unregistered(settings),
    heartbeat: database?.heartbeat ?? { mode: "off" },
    startedAt,
  };
}

function since(
  notReady: NotReady | undefined,
  unready: UnreadySince | undefined,
  { clock }: ManagerSettings,
): Date | undefined {
  if (notReady === undefined) {
    return undefined;
  }
  return unready?.code === notReady.code ? unready.at : new Date(clock.now());
}

function databaseStatus(
  { database }: ManagerSettings,
  run: ManagerRun | undefined,
  now: ManagedDatabaseStatus | undefined,
): DatabaseStatus {
  const health = run?.health;
  const facts = run?.facts;
  return {
    address: database.address,
    database: database.database,
    reachable: health?.state === "up",
    lastError: health?.state === "down" ? health.error.message : undefined,
    inRecovery: facts?.inRecovery,
    serverVersion: facts?.serverVersion,
    connectionsUsed: now?.connectionsUsed ?? 0,
    connectionsLimit: now?.connectionsLimit ?? 0,
  };
}

function unregistered({ topologyName }: ManagerSettings): TopologyStatus {
  return {
    implementation: topologyName,
    registered: false,
    typeSource: "none",
    lastError: undefined,
    lastPublishedAt: undefined,
    awaySince: undefined,
  };
}
