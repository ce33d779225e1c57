import { MultiPooler } from "@multipooler/poolerserver";
import type { ChangeableLimits, MultiPoolerOptions } from "@multipooler/poolerserver";
import type { ConnectionLimits } from "./open-files.ts";
import type { Config } from "./settings/settings.ts";

/** The controller of the configuration, which has no database yet. */
export function controllerOf(
  config: Config,
  limits: ConnectionLimits,
  parts: Pick<MultiPoolerOptions, "onEvent" | "observeStatement" | "logger">,
): MultiPooler {
  return new MultiPooler({
    ...poolLimits(config, limits),
    shard: { tableGroup: config.tableGroup, shard: config.shard },
    reservedRatio: config.reservedRatio,
    rebalanceIntervalMs: config.rebalanceIntervalMs,
    inactiveTimeoutMs: config.inactiveTimeoutMs,
    demandWindowMs: config.demandWindowMs,
    settingsCacheSize: config.settingsCacheSize,
    sessionIsolation: config.sessionIsolation,
    sharingDepth: config.sharingDepth,
    holdsBegin: config.holdBegin === "on",
    maxStatements: config.maxStatements,
    tracksVirtualPids: config.tracksVirtualPids,
    maxNotificationBytes: config.maxNotificationBytes,
    maxSessionStatements: config.pgClientMaxStatements,
    maxSessionStatementBytes: config.pgClientMaxStatementBytes,
    ...parts,
  });
}

/** What of it can change while it runs. */
export function poolLimits(
  config: Config,
  limits: Pick<ConnectionLimits, "pool">,
): ChangeableLimits {
  return {
    databases: config.pgDatabases ?? [],
    capacity: limits.pool,
    maxConnectionsPerUser: config.maxConnectionsPerUser,
    maxConnectionsPerDatabase: config.maxConnectionsPerDatabase,
    minConnectionsPerUser: config.minConnectionsPerUser,
    idleTimeoutMs: config.idleTimeoutMs,
    maxLifetimeMs: config.maxLifetimeMs,
    waitTimeoutMs: config.waitTimeoutMs,
    maxQueueBytes: config.maxQueueBytes,
    drainGraceMs: config.drainGraceMs,
    inactivityTimeoutMs: config.inactivityTimeoutMs,
    unusedDatabaseMs: config.pgDatabaseIdleTimeoutMs,
    slowStatementMs: config.logSlowStatementsMs,
    slowWaitMs: config.logSlowWaitsMs,
    slowTextLength: config.logStatementLength,
    slowParameterLength: config.logParameterLength,
  };
}
