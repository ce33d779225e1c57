import { randomBytes } from "node:crypto";
import { hostname } from "node:os";
import { MultiPoolerManager, PoolerType } from "@multipooler/manager";
import type { ManagerOptions } from "@multipooler/manager";
import type { ClientTlsFiles } from "@multipooler/tls";
import type { Logger } from "pino";
import { databaseOf } from "./database.ts";
import type { Config } from "./settings/settings.ts";
import type { TopologyTarget } from "./topology-target.ts";

export interface ManagerParts extends Pick<ManagerOptions, "controller" | "topology"> {
  readonly target: TopologyTarget;
  readonly tls: ClientTlsFiles;
  /** Where it listens, by the name of the port. */
  readonly ports: () => Readonly<Record<string, number>>;
  readonly logger: Logger;
}

/** The manager of the configuration that the process runs with, which is not open yet. */
export function managerOf(
  current: () => Config,
  { controller, topology, target, tls, ports, logger }: ManagerParts,
): MultiPoolerManager {
  const config = current();
  return new MultiPoolerManager({
    controller,
    topology,
    topologyName: target.server.type,
    pooler: describePooler(config, ports),
    database: databaseOf(config, { tls, current }),
    heartbeatIntervalMs: config.heartbeatIntervalMs,
    lameduckMs: config.lameduckMs,
    logger: logger.child({ component: "manager" }),
  });
}

function describePooler(
  config: Config,
  ports: () => Readonly<Record<string, number>>,
): ManagerOptions["pooler"] {
  const types = {
    unknown: PoolerType.Unknown,
    primary: PoolerType.Primary,
    replica: PoolerType.Replica,
  } as const;
  return {
    identity: {
      cell: config.cell,
      name: config.serviceId ?? randomBytes(4).toString("hex"),
    },
    shard: { database: config.database, tableGroup: config.tableGroup, shard: config.shard },
    initialType: types[config.initialPoolerType],
    hostname: config.hostname ?? hostname(),
    ports,
    poolerDir: config.poolerDir,
    dataDir: config.pgDataDir,
  };
}
