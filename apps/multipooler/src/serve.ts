import { randomBytes } from "node:crypto";
import { hostname } from "node:os";
import { logGrpcLibrary } from "@multipooler/grpc-services";
import { MultiPoolerManager, PoolerType } from "@multipooler/manager";
import type { ManagerOptions } from "@multipooler/manager";
import { systemClock } from "@multipooler/timing";
import type { TopoStore } from "@multipooler/topo";
import type { ClientTlsFiles } from "@multipooler/tls";
import { clientListener } from "./client-listener.ts";
import { controllerOf } from "./controller.ts";
import { databaseOf } from "./database.ts";
import { awaitsDataDirectory, checkDirectories } from "./directories.ts";
import { explain } from "./fault.ts";
import { grpcServerOf } from "./grpc-server.ts";
import { PoolerHttp } from "./http/pooler-http.ts";
import type { ProgramLog } from "./log/logger.ts";
import { PoolerMetrics } from "./metrics/pooler-metrics.ts";
import type { ConnectionLimits } from "./open-files.ts";
import { writePidFile } from "./pid-file.ts";
import { preflight } from "./preflight.ts";
import { reasonOf } from "./settings/accepted-flags.ts";
import type { EffectiveSetting } from "./settings/effective-settings.ts";
import type { Config } from "./settings/settings.ts";
import { serviceStatus } from "./service-manager/service-manager.ts";
import type { HarmlessSignal, SignalGuard } from "./signal-guard.ts";
import { openTelemetry } from "./telemetry/telemetry.ts";
import type { Telemetry } from "./telemetry/telemetry.ts";
import { startDeadline } from "./start-deadline.ts";
import { StopDeadline } from "./stop-deadline.ts";
import { Termination } from "./termination.ts";
import type { TopologyTarget } from "./topology-target.ts";
import { openTopology } from "./topology.ts";

export interface ServeIo {
  readonly log: Pick<ProgramLog, "logger" | "outage">;
  /** Prints one line for people to standard error. */
  readonly complain: (line: string) => void;
  readonly signals: Pick<SignalGuard, "listen">;
  /** Ends the process at once. */
  readonly exit: (code: number) => void;
  /** The flags that were given and mean nothing. */
  readonly accepted: readonly string[];
  /** What was configured, and where, without secrets. */
  readonly effective: readonly EffectiveSetting[];
}

const IGNORED: Readonly<Record<HarmlessSignal, string>> = {
  SIGHUP:
    "SIGHUP reloads nothing: settings are read only at the start, " +
    "and files of certificates are read again by themselves when they are replaced",
  SIGUSR1: "SIGUSR1 is ignored: it does not pause the pooler",
  SIGUSR2: "SIGUSR2 is ignored: it does not resume the pooler",
};

/**
 * Runs a pooler until a signal or a permanent fault: builds the parts, hands them to the manager, and
 * waits.
 * Resolves with the exit code: 0 after a signal and a clean stop, 1 after a fault.
 */
export async function serve(config: Config, io: ServeIo): Promise<number> {
  const { logger } = io.log;
  const { target, tls, limits } = preflight(config, { clock: systemClock, logger });
  const { server } = target;
  checkDirectories({
    ...config,
    topologyFile: server.type === "sqlite" ? server.file : undefined,
  });
  if (limits.pool < config.globalCapacity) {
    logger.warn(
      { openFiles: limits.openFiles, capacity: limits.pool, wanted: config.globalCapacity },
      "the limit of open files (ulimit -n) allows fewer connections to PostgreSQL than --connpool-global-capacity",
    );
  }
  logWithoutMeaning(config, io);
  io.signals.listen((signal) => logger.info({ signal }, IGNORED[signal]));
  const forceExit = (message: string): void => {
    io.complain(message);
    io.exit(1);
  };
  using termination = new Termination({ forceExit });
  using deadline = new StopDeadline({ clock: systemClock, forceExit });
  await using parts = new AsyncDisposableStack();
  if (config.pidFile !== undefined) {
    parts.use(writePidFile(config.pidFile));
  }
  parts.use(logGrpcLibrary(logger.child({ component: "grpc-js" })));
  try {
    const { log, effective } = io;
    await start({ config, effective, tls, target, limits, log, termination, deadline, parts });
  } catch (error) {
    termination.fault(explain(error));
  }
  const cause = await termination.requested;
  deadline.begin("onterm-timeout after --lameduck", config.lameduckMs + config.onTermTimeoutMs);
  try {
    if (cause.type === "fault") {
      io.complain(cause.message);
    } else {
      logger.info({ signal: cause.name }, "stopping");
    }
    await parts.disposeAsync();
  } catch (error) {
    io.complain(`did not stop cleanly: ${explain(error)}`);
    return 1;
  }
  logger.info("stopped");
  return cause.type === "fault" ? 1 : 0;
}

interface Start {
  readonly config: Config;
  readonly effective: readonly EffectiveSetting[];
  readonly tls: ClientTlsFiles;
  readonly target: TopologyTarget;
  readonly limits: ConnectionLimits;
  readonly log: ServeIo["log"];
  readonly termination: Termination;
  readonly deadline: StopDeadline;
  /** Closes what was started, in reverse order. */
  readonly parts: AsyncDisposableStack;
}

/** What a pooler is put together of. Nothing of it is open. */
interface Assembly {
  readonly http: PoolerHttp;
  readonly manager: MultiPoolerManager;
  readonly grpc: ReturnType<typeof grpcServerOf>;
  /** `undefined`: PostgreSQL's clients are not served. */
  readonly clients: ReturnType<typeof clientListener>;
}

function assemble(
  options: Start,
  { topology, telemetry }: { readonly topology: TopoStore; readonly telemetry: Telemetry },
): Assembly {
  const { config, effective, tls, target, limits, log, parts } = options;
  const { logger } = log;
  const metrics = parts.use(new PoolerMetrics(telemetry));
  const controller = controllerOf(config, limits, { logger, metrics });
  const { administration } = controller;
  const http = new PoolerHttp({
    host: config.bindAddress,
    port: config.httpPort,
    maxConnections: limits.http,
    settings: effective,
    manager: () => manager,
    administration,
    process: () => ({
      log: log.outage(),
      grpc: { ...grpc.connections, limit: limits.grpc },
      clients: clients && { ...clients.count, limit: limits.clients.limit },
    }),
    metrics: () => metrics.scrape(),
    topology,
    clock: systemClock,
    logger: logger.child({ component: "http" }),
  });
  const manager: MultiPoolerManager = new MultiPoolerManager({
    controller,
    topology,
    topologyName: target.server.type,
    pooler: describePooler(config, () => ({
      grpc: grpc.port ?? config.grpcPort,
      http: http.port,
      postgres: config.pgPort,
    })),
    database: databaseOf(config, tls),
    heartbeatIntervalMs: config.heartbeatIntervalMs,
    lameduckMs: config.lameduckMs,
    logger: logger.child({ component: "manager" }),
  });
  const grpc = grpcServerOf(config, limits, {
    manager,
    observeCall: telemetry.observeCall,
    logger,
  });
  metrics.report(manager, administration);
  const clients = clientListener(config, limits, {
    manager,
    administration,
    reload: () => tls.reload(),
    logger,
  });
  return { http, manager, grpc, clients };
}

/** Starts the parts in the order of the architecture: HTTP first, then the manager. */
async function start(options: Start): Promise<void> {
  const { config, target, log, termination, parts } = options;
  const { logger } = log;
  const topology = parts.adopt(await openTopology(target, { homeCell: target.homeCell }), (store) =>
    store.close(),
  );
  const telemetry = parts.use(
    await openTelemetry(config, logger.child({ component: "telemetry" })),
  );
  const { http, manager, grpc, clients } = assemble(options, { topology, telemetry });
  parts.defer(() => http.close());
  await http.listen();
  logger.info({ address: config.bindAddress, port: http.port }, "HTTP listens");
  parts.defer(() => closeManager(manager, options));
  parts.defer(
    manager.watchStatus(({ state }) => {
      if (state.name === "error") {
        termination.fault(explain(state.error));
      }
    }),
  );
  const service = parts.use(serviceStatus(manager, logger));
  parts.use(startDeadline(manager, config.startTimeoutMs, (message) => termination.fault(message)));
  const transports = clients === undefined ? [grpc] : [grpc, clients];
  await manager.open({ transports, signal: termination.signal });
  logPorts(config, { logger, grpc, clients });
  service.ready();
  parts.defer(() => service.stopping());
}

/** Says where clients connect. */
function logPorts(
  config: Config,
  { logger, grpc, clients }: Pick<ProgramLog, "logger"> & Pick<Assembly, "grpc" | "clients">,
): void {
  logger.info({ address: config.grpcBindAddress, port: grpc.port }, "gRPC listens");
  if (clients !== undefined) {
    const address = config.pgListenAddress;
    logger.info({ address, port: clients.port }, "the port for PostgreSQL's clients listens");
  }
}

/** Called when a stop was requested. Ctrl-C comes from a terminal, and a fault cannot wait. */
async function closeManager(
  manager: MultiPoolerManager,
  { config, termination, deadline }: Pick<Start, "config" | "termination" | "deadline">,
): Promise<void> {
  const cause = await termination.requested;
  try {
    await manager.close({ lameduck: cause.type === "signal" && cause.name === "SIGTERM" });
  } finally {
    // For what is left of the stop.
    deadline.begin("onclose-timeout", config.onCloseTimeoutMs);
  }
}

/** Says what of a launch line has no effect, and what the pooler waits for. */
function logWithoutMeaning(config: Config, { log: { logger }, accepted }: ServeIo): void {
  if (accepted.length > 0) {
    const flags = Object.fromEntries(accepted.map((flag) => [flag, reasonOf(flag)]));
    logger.info({ flags }, "accepted, means nothing here");
  }
  if (awaitsDataDirectory(config)) {
    logger.info({ path: config.pgDataDir }, "PostgreSQL's data directory is not there yet");
  }
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
