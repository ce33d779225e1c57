import { randomBytes } from "node:crypto";
import { hostname } from "node:os";
import { GrpcServer, logGrpcLibrary } from "@multipooler/grpc-services";
import { MultiPoolerManager, PoolerType } from "@multipooler/manager";
import type { ManagerOptions } from "@multipooler/manager";
import { MultiPooler } from "@multipooler/poolerserver";
import { systemClock } from "@multipooler/timing";
import type { Timer } from "@multipooler/timing";
import type { Logger } from "pino";
import { checkPasswordFile, databaseOf } from "./database.ts";
import { checkDirectories } from "./directories.ts";
import { explain } from "./fault.ts";
import { HttpServer } from "./http-server.ts";
import { readiness } from "./readiness.ts";
import type { Config } from "./settings.ts";
import { startDeadline } from "./start-deadline.ts";
import { Termination } from "./termination.ts";
import { topologyTarget } from "./topology-target.ts";
import type { TopologyTarget } from "./topology-target.ts";
import { openTopology } from "./topology.ts";
import { buildVersion } from "./version.ts";

/** How `serve` reaches the world outside the process. */
export interface ServeIo {
  readonly logger: Logger;
  /** Prints one line for people to standard error. */
  readonly complain: (line: string) => void;
  /** Ends the process at once. */
  readonly exit: (code: number) => void;
}

/**
 * Runs a pooler until it is told to stop: builds the parts, hands them to the manager, and waits.
 * Resolves with the exit code: 0 after a signal and a clean stop, 1 after a fault.
 */
export async function serve(config: Config, io: ServeIo): Promise<number> {
  const { logger } = io;
  const target = topologyTarget(config);
  const { server } = target;
  checkDirectories({
    ...config,
    topologyFile: server.type === "sqlite" ? server.file : undefined,
  });
  checkPasswordFile(config);
  using termination = new Termination({
    forceExit: (message) => {
      io.complain(message);
      io.exit(1);
    },
  });
  await using parts = new AsyncDisposableStack();
  try {
    await start({ config, target, logger, termination, parts });
  } catch (error) {
    termination.fault(explain(error));
  }
  const cause = await termination.requested;
  const deadline = outerDeadline(config.onTermTimeoutMs, io);
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
  } finally {
    deadline.cancel();
  }
  logger.info("stopped");
  return cause.type === "fault" ? 1 : 0;
}

interface Start {
  readonly config: Config;
  readonly target: TopologyTarget;
  readonly logger: Logger;
  readonly termination: Termination;
  /** Ends what was started, in reverse. */
  readonly parts: AsyncDisposableStack;
}

/** The start order of the process. */
async function start({ config, target, logger, termination, parts }: Start): Promise<void> {
  const { homeCell } = target;
  const topology = parts.adopt(await openTopology(target, { homeCell }), (store) => store.close());
  const http = new HttpServer({
    host: config.bindAddress,
    port: config.httpPort,
    readiness: () => readiness(manager.status()),
  });
  const controller = new MultiPooler({
    shard: { tableGroup: config.tableGroup, shard: config.shard },
    capacity: config.globalCapacity,
    idleTimeoutMs: config.idleTimeoutMs,
    maxLifetimeMs: config.maxLifetimeMs,
    waitTimeoutMs: config.waitTimeoutMs,
    drainGraceMs: config.drainGraceMs,
    logger: logger.child({ component: "poolerserver" }),
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
    database: databaseOf(config),
    heartbeatIntervalMs: config.heartbeatIntervalMs,
    logger: logger.child({ component: "manager" }),
  });
  logGrpcLibrary(logger.child({ component: "grpc-js" }));
  const grpc = new GrpcServer({
    manager,
    host: config.grpcBindAddress,
    port: config.grpcPort,
    version: buildVersion.version,
    logger: logger.child({ component: "grpc" }),
  });

  parts.defer(() => http.close());
  await http.listen();
  logger.info({ address: config.bindAddress, port: http.port }, "HTTP listens");
  parts.use(manager);
  parts.defer(
    manager.watchStatus(({ state }) => {
      if (state.name === "error") {
        termination.fault(explain(state.error));
      }
    }),
  );
  parts.use(startDeadline(manager, config.startTimeoutMs, (message) => termination.fault(message)));
  await manager.open({ transports: [grpc], signal: termination.signal });
  logger.info({ address: config.grpcBindAddress, port: grpc.port }, "gRPC listens");
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

/** The last resort for a stop that hangs. */
function outerDeadline(ms: number, io: ServeIo): Timer {
  return systemClock.setTimer(() => {
    io.complain(`did not stop within ${ms} ms (--onterm-timeout): exit without waiting`);
    io.exit(1);
  }, ms);
}
