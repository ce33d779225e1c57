import type { PoolerController } from "@multipooler/controller-api";
import type { CallOptions } from "@multipooler/query-service";
import type { Clock } from "@multipooler/timing";
import type { TopoStore } from "@multipooler/topo";
import type { DatabaseProvider } from "./database/managed-database.ts";
import type { Logger } from "./logger.ts";
import type { ServerProcess } from "./promotion/server-process.ts";
import type { PoolerIdentity, PoolerType, ShardIdentity } from "./record/pooler-type.ts";
import type { ServiceTransport } from "./transport/service-transport.ts";

/** What this pooler tells the topology about itself. */
export interface PoolerDescription {
  readonly identity: PoolerIdentity;
  readonly shard: ShardIdentity;
  /** The type of a pooler that the topology does not know yet; a known one keeps its type. */
  readonly initialType: PoolerType;
  /** The name or address under which others reach this machine. */
  readonly hostname: string;
  /**
   * The ports that others reach, by service: "grpc", "http", "postgres". Asked once the transports
   * listen, so that a port that the system chose is known.
   */
  readonly ports: () => Readonly<Record<string, number>>;
  /**
   * Where the pooler keeps files of its own. With one, the type is remembered there, so that the
   * pooler can serve while the topology is away.
   */
  readonly poolerDir?: string | undefined;
  /** PostgreSQL's data directory, if it is on this machine. Told to the topology, never opened. */
  readonly dataDir?: string | undefined;
}

export interface ManagerOptions {
  /** What serves the queries. The manager owns it from here on. */
  readonly controller: PoolerController;
  /** Where the pooler's record lives. Opened and closed by the caller. */
  readonly topology: TopoStore;
  /** What kind of store `topology` is, for the status, e.g. "memory". */
  readonly topologyName: string;
  readonly pooler: PoolerDescription;
  /** What the pooler stands in front of, e.g. `postgresDatabase({ … })`. */
  readonly database: DatabaseProvider;
  readonly logger: Logger;
  /** What controls the server's process. Without one it cannot be demoted. */
  readonly serverProcess?: ServerProcess | undefined;
  /** How often a primary writes its heartbeat, and a replica reads it: at least 100, default 1000. */
  readonly heartbeatIntervalMs?: number | undefined;
  /** How often a healthy database is asked whether it still is: at least 10, default 1000. */
  readonly healthIntervalMs?: number | undefined;
  /** How long `close` waits for running queries before their connections are cut. Default 10000. */
  readonly closeTimeoutMs?: number | undefined;
  readonly clock?: Clock | undefined;
  /** A number in [0, 1), for the jitter between retries. */
  readonly random?: (() => number) | undefined;
}

export interface CloseOptions extends CallOptions {
  /**
   * How long a pooler that is ready serves on first: not ready, so that those who look at its readiness
   * send their clients elsewhere before anything is refused. Default 0.
   */
  readonly lameduckMs?: number | undefined;
}

export interface OpenOptions extends CallOptions {
  /** The ways in. The manager announces the services to them, opens and closes them. */
  readonly transports: readonly ServiceTransport[];
}
