import type { ServingTarget } from "@multipooler/controller-api";
import { CLOSING_REASON } from "./run-closing.ts";
import type { ManagedDatabaseStatus } from "./database/managed-database.ts";
import { messageOf } from "./error-message.ts";
import type { ManagerRun } from "./manager-run.ts";
import type { ManagerSettings } from "./manager-settings.ts";
import type { DatabaseStatus, ManagerStatus, TopologyStatus } from "./manager-status.ts";
import { PoolerType } from "./record/pooler-type.ts";
import { NO_INTENT } from "./serving/operator-intent.ts";
import { admits, notServing } from "./serving/serving-target.ts";

export interface StatusSources {
  readonly settings: ManagerSettings;
  /** `undefined` while the manager is not open. */
  readonly run: ManagerRun | undefined;
  readonly startedAt: Date;
}

/** Takes a snapshot of everything. Reads memory only. */
export function takeSnapshot({ settings, run, startedAt }: StatusSources): ManagerStatus {
  const { controller, pooler } = settings;
  const { current, drains } = controller.servingStatus();
  const database = run?.database.status();
  const notReadyReason = whyNotReady(settings, run, database);
  return {
    state: run?.state ?? { name: "starting" },
    ready: notReadyReason === undefined,
    notReadyReason,
    pooler: pooler.identity,
    shard: pooler.shard,
    type: run?.parts?.registration.type() ?? PoolerType.Unknown,
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

function whyNotReady(
  { controller }: ManagerSettings,
  run: ManagerRun | undefined,
  database: ManagedDatabaseStatus | undefined,
): string | undefined {
  if (run === undefined) {
    return "the manager is not open";
  }
  if (run.stopping) {
    return CLOSING_REASON;
  }
  if (run.state.name === "error") {
    return run.state.error.message;
  }
  const { parts } = run;
  if (parts === undefined) {
    return "the transports do not listen yet";
  }
  const { wanted, reached, lastError } = parts.reconciler.progress();
  if (!admits(wanted.status)) {
    return wanted.reason;
  }
  if (lastError !== undefined) {
    return `cannot serve as ${wanted.role}: ${messageOf(lastError)}`;
  }
  if (!reached) {
    return `about to serve as ${wanted.role}`;
  }
  if (!controller.isServing()) {
    return "the controller stopped serving";
  }
  const { queryPath } = parts.steps;
  if (queryPath.state === "broken") {
    return `queries do not get through: ${queryPath.reason}`;
  }
  return database?.refusal === undefined
    ? undefined
    : `new connections are refused: ${database.refusal}`;
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
