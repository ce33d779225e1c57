import { logGrpcLibrary } from "@multipooler/grpc-services";
import type { MultiPoolerManager } from "@multipooler/manager";
import { systemClock } from "@multipooler/timing";
import { assemble } from "./assembly.ts";
import type { Assembly, AssemblyOptions } from "./assembly.ts";
import { awaitsDataDirectory, directoriesOf, makeDirectories } from "./directories.ts";
import { explain } from "./fault.ts";
import type { ProgramLog } from "./log/logger.ts";
import { writePidFile } from "./pid-file.ts";
import { preflight } from "./preflight.ts";
import type { Reload } from "./reload/reload.ts";
import type { RunningConfig } from "./reload/running-config.ts";
import { serviceIdOf } from "./service-id.ts";
import { serviceStatus } from "./service-manager/service-manager.ts";
import { reasonOf } from "./settings/accepted-flags.ts";
import type { Config } from "./settings/settings.ts";
import type { HarmlessSignal, SignalGuard } from "./signal-guard.ts";
import { startDeadline } from "./start-deadline.ts";
import { StopDeadline } from "./stop-deadline.ts";
import { openTelemetry } from "./telemetry/telemetry.ts";
import { Termination } from "./termination.ts";
import { openTopology } from "./topology.ts";

export interface ServeIo {
  readonly log: Pick<ProgramLog, "logger" | "setLevel" | "reopen" | "outage">;
  /** Prints one line for people to standard error. */
  readonly complain: (line: string) => void;
  readonly signals: Pick<SignalGuard, "listen">;
  /** Ends the process at once. */
  readonly exit: (code: number) => void;
  /** The flags that were given and mean nothing. */
  readonly accepted: readonly string[];
  /** A line for each variable and each parameter of a service that was given and means nothing. */
  readonly ignored: readonly string[];
  /** Called once clients can connect. */
  readonly started: () => void;
}

const IGNORED: Readonly<Record<Exclude<HarmlessSignal, "SIGHUP">, string>> = {
  SIGUSR1: "SIGUSR1 is ignored: it does not pause the pooler",
  SIGUSR2: "SIGUSR2 is ignored: it does not resume the pooler",
};

/**
 * Runs a pooler until a signal or a permanent fault: builds the parts, hands them to the manager, and
 * waits.
 * Resolves with the exit code: 0 after a signal and a clean stop, 1 after a fault.
 */
export async function serve(running: RunningConfig, io: ServeIo): Promise<number> {
  const { logger } = io.log;
  const config = running.current;
  const checked = preflight(config, { clock: systemClock, logger });
  const { target, limits } = checked;
  makeDirectories(directoriesOf(config, target));
  const serviceId = serviceIdOf(config);
  if (limits.pool < config.globalCapacity) {
    logger.warn(
      { openFiles: limits.openFiles, capacity: limits.pool, wanted: config.globalCapacity },
      "the limit of open files (ulimit -n) allows fewer connections to PostgreSQL than --connpool-global-capacity",
    );
  }
  logWithoutMeaning(config, io);
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
    const { log, signals, started } = io;
    const given = { ...checked, running, serviceId, log, signals, started };
    await start({ ...given, termination, deadline, parts });
  } catch (error) {
    termination.fault(explain(error));
  }
  const cause = await termination.requested;
  const { lameduckMs, onTermTimeoutMs } = running.current;
  deadline.begin("onterm-timeout after --lameduck", lameduckMs + onTermTimeoutMs);
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

interface Start extends AssemblyOptions, Pick<ServeIo, "signals" | "started"> {
  readonly termination: Termination;
  readonly deadline: StopDeadline;
}

/** Starts the parts in the order of the architecture: HTTP first, then the manager. */
async function start(options: Start): Promise<void> {
  const { running, target, log, signals, termination, parts } = options;
  const config = running.current;
  const { logger } = log;
  const topology = parts.adopt(await openTopology(target, { homeCell: target.homeCell }), (store) =>
    store.close(),
  );
  const telemetry = parts.use(
    await openTelemetry(config, logger.child({ component: "telemetry" })),
  );
  const { http, manager, grpc, clients, reload } = assemble(options, { topology, telemetry });
  signals.listen((signal) => onSignal(signal, { reload, logger }));
  parts.defer(() => http.close());
  await http.listen();
  logger.info({ address: config.bindAddress, port: http.port }, "HTTP listens");
  // Told until the manager is closed, drain included.
  const service = parts.use(serviceStatus(manager, logger));
  parts.defer(() => closeManager(manager, options));
  parts.defer(
    manager.watchStatus(({ state }) => {
      if (state.name === "error") {
        termination.fault(explain(state.error));
      }
    }),
  );
  parts.use(startDeadline(manager, config.startTimeoutMs, (message) => termination.fault(message)));
  const transports = clients === undefined ? [grpc] : [grpc, clients];
  await manager.open({ transports, signal: termination.signal });
  logPorts(config, { logger, grpc, clients });
  options.started();
  service.ready();
  parts.defer(() => service.stopping());
}

function onSignal(
  signal: HarmlessSignal,
  { reload, logger }: Pick<ProgramLog, "logger"> & { readonly reload: Reload },
): void {
  if (signal === "SIGHUP") {
    reload.run(signal, { signal });
  } else {
    logger.info({ signal }, IGNORED[signal]);
  }
}

/** Says where clients connect. */
function logPorts(
  config: Config,
  { logger, grpc, clients }: Pick<ProgramLog, "logger"> & Pick<Assembly, "grpc" | "clients">,
): void {
  const { grpcBindAddress: grpcAddress, grpcSocketFile: socketFile } = config;
  logger.info({ address: grpcAddress, port: grpc.port, socketFile }, "gRPC listens");
  if (clients !== undefined) {
    const address = config.pgListenAddress;
    logger.info({ address, port: clients.port }, "the port for PostgreSQL's clients listens");
  }
}

/** Called when a stop was requested. Ctrl-C comes from a terminal, and a fault cannot wait. */
async function closeManager(
  manager: MultiPoolerManager,
  { running, termination, deadline }: Pick<Start, "running" | "termination" | "deadline">,
): Promise<void> {
  const cause = await termination.requested;
  try {
    const servesOn = cause.type === "signal" && cause.name === "SIGTERM";
    await manager.close({ lameduckMs: servesOn ? running.current.lameduckMs : 0 });
  } finally {
    // For what is left of the stop.
    deadline.begin("onclose-timeout", running.current.onCloseTimeoutMs);
  }
}

/** Says what of a launch line has no effect, and what the pooler waits for. */
function logWithoutMeaning(config: Config, { log: { logger }, accepted, ignored }: ServeIo): void {
  if (accepted.length > 0) {
    const flags = Object.fromEntries(accepted.map((flag) => [flag, reasonOf(flag)]));
    logger.info({ flags }, "accepted, means nothing here");
  }
  if (ignored.length > 0) {
    logger.warn({ ignored }, "the environment has what means nothing here");
  }
  if (awaitsDataDirectory(config)) {
    logger.info({ path: config.pgDataDir }, "PostgreSQL's data directory is not there yet");
  }
}
