import type { PoolerController } from "@multipooler/controller-api";
import { systemClock } from "@multipooler/timing";
import type { Clock } from "@multipooler/timing";
import type { TopoStore } from "@multipooler/topo";
import type { DatabaseProvider } from "./database/managed-database.ts";
import type { Logger } from "./logger.ts";
import type { ManagerOptions, PoolerDescription } from "./manager-options.ts";
import type { ServerProcess } from "./promotion/server-process.ts";
import {
  MAX_APPLICATION_NAME_BYTES,
  applicationName,
  isNamePart,
} from "./record/application-name.ts";
import type { PoolerIdentity } from "./record/pooler-type.ts";
import { checkInteger, checkText, invalidSetting } from "./setting.ts";

/** {@link ManagerOptions} that were checked, with every default filled in. */
export interface ManagerSettings {
  readonly controller: PoolerController;
  readonly topology: TopoStore;
  readonly topologyName: string;
  readonly pooler: PoolerDescription;
  readonly database: DatabaseProvider;
  readonly logger: Logger;
  readonly serverProcess: ServerProcess | undefined;
  readonly heartbeatIntervalMs: number;
  readonly healthIntervalMs: number;
  readonly closeTimeoutMs: number;
  readonly clock: Clock;
  readonly random: () => number;
}

/** Checks the options and fills in the defaults. Throws INVALID_CONFIG, naming the setting. */
export function resolveManagerOptions(options: ManagerOptions): ManagerSettings {
  const { pooler } = options;
  checkIdentity(pooler.identity);
  checkText("pooler.hostname", pooler.hostname);
  checkText("pooler.shard.database", pooler.shard.database);
  checkText("pooler.shard.tableGroup", pooler.shard.tableGroup);
  checkText("pooler.shard.shard", pooler.shard.shard);
  return {
    controller: options.controller,
    topology: options.topology,
    topologyName: options.topologyName,
    pooler,
    database: options.database,
    logger: options.logger,
    serverProcess: options.serverProcess,
    heartbeatIntervalMs: checkInteger("heartbeatIntervalMs", options.heartbeatIntervalMs ?? 1_000, {
      // A write has as long as the interval, a dial included.
      min: 100,
      max: 3_600_000,
    }),
    healthIntervalMs: checkInteger("healthIntervalMs", options.healthIntervalMs ?? 1_000, {
      min: 10,
      max: 3_600_000,
    }),
    closeTimeoutMs: checkInteger("closeTimeoutMs", options.closeTimeoutMs ?? 10_000, {
      min: 0,
      max: 3_600_000,
    }),
    clock: options.clock ?? systemClock,
    random: options.random ?? Math.random,
  };
}

/** What the pooler is called in the topology and in logs: `multipooler-<cell>-<name>`. */
export function poolerId({ cell, name }: PoolerIdentity): string {
  return `multipooler-${cell}-${name}`;
}

function checkIdentity(identity: PoolerIdentity): void {
  checkSegment("pooler.identity.cell", identity.cell);
  checkSegment("pooler.identity.name", identity.name);
  const limit = MAX_APPLICATION_NAME_BYTES;
  if (Buffer.byteLength(applicationName(identity)) > limit) {
    throw invalidSetting(
      "pooler.identity",
      applicationName(identity),
      `at most ${limit} bytes long as <cell>_<name>, PostgreSQL's limit on application_name`,
    );
  }
}

/** The two parts are joined by "_" inside PostgreSQL and are segments of a key in the topology. */
function checkSegment(setting: string, value: string): void {
  if (!isNamePart(value)) {
    throw invalidSetting(setting, value, 'a name without "_", "/", spaces or control characters');
  }
}
