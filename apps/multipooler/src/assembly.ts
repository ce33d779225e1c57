import { MultiPoolerManager, PoolerType } from "@multipooler/manager";
import type { ManagerOptions } from "@multipooler/manager";
import { systemClock } from "@multipooler/timing";
import type { TopoStore } from "@multipooler/topo";
import type { ClientTlsFiles } from "@multipooler/tls";
import { advertisedHost } from "./advertised-host.ts";
import { clientListener } from "./client-listener.ts";
import { controllerOf } from "./controller.ts";
import { databaseOf } from "./database.ts";
import { grpcServerOf } from "./grpc-server.ts";
import type { HttpTls } from "./http/http-tls.ts";
import { PoolerHttp } from "./http/pooler-http.ts";
import type { ProcessState } from "./http/readiness.ts";
import type { ProgramLog } from "./log/logger.ts";
import { PoolerMetrics } from "./metrics/pooler-metrics.ts";
import { connectionLimits } from "./open-files.ts";
import type { ConnectionLimits } from "./open-files.ts";
import { poolerOperations } from "./operations.ts";
import { Reload } from "./reload/reload.ts";
import type { RunningConfig } from "./reload/running-config.ts";
import { serverProcessOf } from "./server-process.ts";
import type { Config } from "./settings/settings.ts";
import type { Telemetry } from "./telemetry/telemetry.ts";
import type { TopologyTarget } from "./topology-target.ts";

export interface AssemblyOptions {
  readonly running: RunningConfig;
  /** The name of the pooler in its cell. */
  readonly serviceId: string;
  readonly tls: ClientTlsFiles;
  readonly httpTls: HttpTls | undefined;
  readonly target: TopologyTarget;
  readonly limits: ConnectionLimits;
  readonly log: Pick<ProgramLog, "logger" | "setLevel" | "reopen" | "outage">;
  /** Ends what was made here and has to be ended. */
  readonly parts: AsyncDisposableStack;
}

/** What a pooler is put together of. Nothing of it is open. */
export interface Assembly {
  readonly http: PoolerHttp;
  readonly manager: MultiPoolerManager;
  readonly grpc: ReturnType<typeof grpcServerOf>;
  /** `undefined`: PostgreSQL's clients are not served. */
  readonly clients: ReturnType<typeof clientListener>;
  readonly reload: Reload;
}

/** Puts the parts together: the only place where each learns of the others. */
export function assemble(
  options: AssemblyOptions,
  { topology, telemetry }: { readonly topology: TopoStore; readonly telemetry: Telemetry },
): Assembly {
  const { running, tls, httpTls, limits, log, parts } = options;
  const { logger } = log;
  const config = running.current;
  const current = (): Config => running.current;
  const metrics = parts.use(new PoolerMetrics(telemetry));
  const controller = controllerOf(config, limits, {
    onEvent: (event) => metrics.onEvent(event),
    observeStatement: telemetry.observeStatement,
    logger: logger.child({ component: "poolerserver" }),
  });
  const { administration } = controller;
  const http = new PoolerHttp({
    host: config.bindAddress,
    port: config.httpPort,
    maxConnections: limits.http,
    tls: httpTls,
    settings: () => running.effective,
    manager: () => manager,
    administration,
    activity: () => operations.activity(),
    process: () => ({
      log: log.outage(),
      ...connectionState(connectionLimits(current(), limits.openFiles), { grpc, clients }),
    }),
    metrics: () => metrics.scrape(),
    topology,
    clock: systemClock,
    logger: logger.child({ component: "http" }),
  });
  const database = databaseOf(config, { tls, current });
  const manager: MultiPoolerManager = managerOf(options, {
    controller,
    topology,
    database,
    ports: () => ({
      grpc: grpc.port ?? config.grpcPort,
      http: http.port,
      postgres: current().pgPort,
    }),
  });
  const operations = poolerOperations(() => ({ reload, administration, clients }));
  const { observeCall } = telemetry;
  const grpc = grpcServerOf(config, limits, { manager, operations, observeCall, logger });
  metrics.report({ manager, administration, grpc });
  const clients = clientListener(config, limits, {
    manager,
    administration,
    current,
    reload: () => reload.orThrow(),
    logger,
  });
  const { openFiles } = limits;
  const changed = { log, tls, httpTls, database, controller, grpc, clients };
  const reload = new Reload(running, { ...changed, openFiles });
  return { http, manager, grpc, clients, reload };
}

/** The connections of the transports, under the limits that a reload may have changed. */
function connectionState(
  limits: ConnectionLimits,
  { grpc, clients }: Pick<Assembly, "grpc" | "clients">,
): Omit<ProcessState, "log"> {
  return {
    grpc: { ...grpc.connections, limit: limits.grpc },
    clients: clients && { ...clients.count, limit: limits.clients.limit },
  };
}

/** The manager of the configuration, which is not open yet. */
function managerOf(
  { running, serviceId, target, log, parts }: AssemblyOptions,
  {
    controller,
    topology,
    database,
    ports,
  }: Pick<ManagerOptions, "controller" | "topology" | "database"> & {
    readonly ports: () => Readonly<Record<string, number>>;
  },
): MultiPoolerManager {
  const config = running.current;
  const { host, problem } = advertisedHost(config, target.server);
  if (problem !== undefined) {
    log.logger.warn({ host }, problem);
  }
  return new MultiPoolerManager({
    controller,
    topology,
    topologyName: target.server.type,
    pooler: describePooler(config, { name: serviceId, host, ports }),
    database,
    serverProcess: parts.use(serverProcessOf(() => running.current)),
    heartbeatIntervalMs: config.heartbeatIntervalMs,
    logger: log.logger.child({ component: "manager" }),
  });
}

function describePooler(
  config: Config,
  {
    name,
    host,
    ports,
  }: {
    readonly name: string;
    readonly host: string;
    readonly ports: () => Readonly<Record<string, number>>;
  },
): ManagerOptions["pooler"] {
  const types = {
    unknown: PoolerType.Unknown,
    primary: PoolerType.Primary,
    replica: PoolerType.Replica,
  } as const;
  return {
    identity: { cell: config.cell, name },
    shard: { database: config.database, tableGroup: config.tableGroup, shard: config.shard },
    initialType: types[config.initialPoolerType],
    hostname: host,
    ports,
    poolerDir: config.poolerDir,
    dataDir: config.pgDataDir,
  };
}
