import { messageOf } from "./error-message.ts";
import type { ManagerRun } from "./manager-run.ts";
import type { ManagerSettings } from "./manager-settings.ts";
import type { DatabaseStatus, ManagerStatus, TopologyStatus } from "./manager-status.ts";
import { PoolerType } from "./record/pooler-type.ts";
import { admits } from "./serving/serving-target.ts";

/** What a status is made from. */
export interface StatusSources {
  readonly settings: ManagerSettings;
  /** `undefined` while the manager is not open. */
  readonly run: ManagerRun | undefined;
  readonly startedAt: Date;
}

/** Takes a snapshot of everything. Reads memory only. */
export function takeSnapshot({ settings, run, startedAt }: StatusSources): ManagerStatus {
  const { controller, pooler } = settings;
  const { current } = controller.servingStatus();
  const progress = run?.progress;
  const notReadyReason = whyNotReady(settings, run);
  return {
    state: run?.state ?? { name: "starting" },
    ready: notReadyReason === undefined,
    notReadyReason,
    pooler: pooler.identity,
    shard: pooler.shard,
    type: run?.registration?.type() ?? PoolerType.Unknown,
    serving: {
      current,
      wanted: progress === undefined || progress.reached ? undefined : progress.wanted,
    },
    database: databaseStatus(settings, run),
    topology: run?.registration?.status() ?? unregistered(settings),
    heartbeat: run?.heartbeat.status() ?? { mode: "off" },
    startedAt,
  };
}

function whyNotReady(
  { controller }: ManagerSettings,
  run: ManagerRun | undefined,
): string | undefined {
  if (run === undefined) {
    return "the manager is not open";
  }
  if (run.stopping) {
    return "shutting down";
  }
  if (run.state.name === "error") {
    return run.state.error.message;
  }
  const { progress } = run;
  if (progress === undefined) {
    return "the transports do not listen yet";
  }
  const { wanted, reached, lastError } = progress;
  if (!admits(wanted.status)) {
    return wanted.reason;
  }
  if (lastError !== undefined) {
    return `cannot serve as ${wanted.role}: ${messageOf(lastError)}`;
  }
  if (!reached) {
    return `about to serve as ${wanted.role}`;
  }
  return controller.isServing() ? undefined : "the controller stopped serving";
}

function databaseStatus(
  { database }: ManagerSettings,
  run: ManagerRun | undefined,
): DatabaseStatus {
  const health = run?.health;
  const facts = run?.facts;
  const budget = run?.database.handle.budget;
  return {
    address: database.address,
    database: database.database,
    reachable: health?.state === "up",
    lastError: health?.state === "down" ? health.error.message : undefined,
    inRecovery: facts?.inRecovery,
    serverVersion: facts?.serverVersion,
    connectionsUsed: budget?.used ?? 0,
    connectionsLimit: budget?.limit ?? 0,
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
