import { MultiPooler } from "@multipooler/poolerserver";
import type { Logger } from "pino";
import type { PoolerMetrics } from "./metrics/pooler-metrics.ts";
import type { ConnectionLimits } from "./open-files.ts";
import type { Config } from "./settings/settings.ts";

/** The controller of the configuration, which has no database yet. */
export function controllerOf(
  config: Config,
  limits: ConnectionLimits,
  { logger, metrics }: { readonly logger: Logger; readonly metrics: PoolerMetrics },
): MultiPooler {
  return new MultiPooler({
    shard: { tableGroup: config.tableGroup, shard: config.shard },
    capacity: limits.pool,
    databases: config.pgDatabases,
    unusedDatabaseMs: config.pgDatabaseIdleTimeoutMs,
    maxConnectionsPerUser: config.maxConnectionsPerUser,
    maxConnectionsPerDatabase: config.maxConnectionsPerDatabase,
    minConnectionsPerUser: config.minConnectionsPerUser,
    reservedRatio: config.reservedRatio,
    rebalanceIntervalMs: config.rebalanceIntervalMs,
    idleTimeoutMs: config.idleTimeoutMs,
    inactiveTimeoutMs: config.inactiveTimeoutMs,
    maxLifetimeMs: config.maxLifetimeMs,
    waitTimeoutMs: config.waitTimeoutMs,
    drainGraceMs: config.drainGraceMs,
    inactivityTimeoutMs: config.inactivityTimeoutMs,
    demandWindowMs: config.demandWindowMs,
    settingsCacheSize: config.settingsCacheSize,
    sessionIsolation: config.sessionIsolation,
    sharingDepth: config.sharingDepth,
    maxQueueBytes: config.maxQueueBytes,
    maxStatements: config.maxStatements,
    maxNotificationBytes: config.maxNotificationBytes,
    maxSessionStatements: config.pgClientMaxStatements,
    maxSessionStatementBytes: config.pgClientMaxStatementBytes,
    onEvent: (event) => metrics.onEvent(event),
    logger: logger.child({ component: "poolerserver" }),
  });
}
