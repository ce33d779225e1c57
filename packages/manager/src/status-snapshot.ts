import type { ServingTarget } from "@multipooler/controller-api";
import type { ActionHolder } from "./actions/action-lock.ts";
import { CLOSING_REASON } from "./run-closing.ts";
import type { ConsensusTerm } from "./terms/consensus-term.ts";
import type { DatabaseHealth } from "./database/database-monitor.ts";
import type { ManagedDatabaseStatus } from "./database/managed-database.ts";
import type { ManagerRun } from "./manager-run.ts";
import type { ManagerSettings } from "./manager-settings.ts";
import type {
  DatabaseStatus,
  DemotionStatus,
  ManagerStatus,
  TopologyStatus,
} from "./manager-status.ts";
import { PoolerType } from "./record/pooler-type.ts";
import type { NotReady, NotReadyCode } from "./serving/not-ready.ts";
import { NO_INTENT } from "./serving/operator-intent.ts";
import { whyNotReady } from "./serving/readiness.ts";
import { admits, notServing } from "./serving/serving-target.ts";

/** When the pooler began to be unready for its present reason. */
export interface UnreadySince {
  readonly code: NotReadyCode;
  readonly at: Date;
}

export interface StatusSources {
  readonly settings: ManagerSettings;
  /** `undefined` while the manager is not open. */
  readonly run: ManagerRun | undefined;
  readonly term: ConsensusTerm;
  readonly demotion: DemotionStatus | undefined;
  readonly runningAction: ActionHolder | undefined;
  readonly startedAt: Date;
  /** What was true at the last snapshot. */
  readonly unready: UnreadySince | undefined;
}

/** Takes a snapshot of everything. Reads memory only. */
export function takeSnapshot(sources: StatusSources): ManagerStatus {
  const { settings, run, term, demotion, runningAction, startedAt, unready } = sources;
  const { controller, pooler } = settings;
  const { current, drains } = controller.servingStatus();
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
    term,
    demotion,
    runningAction,
    serving: {
      current,
      wanted: wantedOf(run),
      drains,
    },
    intent: run?.intent ?? NO_INTENT,
    transitions: run?.parts?.reconciler.history() ?? [],
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

/** What is on its way, if anything is. A run that stops is, although it may serve on for a while. */
function wantedOf(run: ManagerRun | undefined): ServingTarget | undefined {
  const progress = run?.parts?.reconciler.progress();
  if (run === undefined || progress === undefined) {
    return undefined;
  }
  const { wanted, reached } = progress;
  if (run.stopping && admits(wanted.status)) {
    return notServing(CLOSING_REASON);
  }
  return reached ? undefined : wanted;
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
    reachable: health?.state === "up" && health.silence === undefined,
    lastError: faultOf(health),
    inRecovery: facts?.inRecovery,
    serverVersion: facts?.serverVersion,
    connectionsUsed: now?.connectionsUsed ?? 0,
    connectionsLimit: now?.connectionsLimit ?? 0,
  };
}

function faultOf(health: DatabaseHealth | undefined): string | undefined {
  switch (health?.state) {
    case "up":
      return health.silence;
    case "down":
      return health.error.message;
    default:
      return undefined;
  }
}

function unregistered({ topologyName }: ManagerSettings): TopologyStatus {
  return {
    implementation: topologyName,
    registered: false,
    typeSource: "none",
    ignoredType: undefined,
    shardPrimary: undefined,
    lastError: undefined,
    lastPublishedAt: undefined,
    awaySince: undefined,
  };
}
