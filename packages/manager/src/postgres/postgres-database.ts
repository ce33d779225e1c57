import { PoolerRole } from "@multipooler/controller-api";
import type { DatabaseAddress, DatabaseHandle } from "@multipooler/controller-api";
import type { CallOptions } from "@multipooler/query-service";
import { Deadline, untilAborted } from "@multipooler/timing";
import { applicationNamePrefix } from "./admin-client-config.ts";
import { describeAddress, resolveDatabaseConfig } from "./database-config.ts";
import type { DatabaseConfig, ResolvedDatabaseConfig, ServerConfig } from "./database-config.ts";
import { dialFault } from "./database-fault.ts";
import { Heartbeat } from "../heartbeat/heartbeat.ts";
import { isNamed } from "./host-lookup.ts";
import type {
  DatabaseContext,
  DatabaseFacts,
  DatabaseProvider,
  ManagedDatabase,
  ManagedDatabaseStatus,
} from "../database/managed-database.ts";
import { ManagerError, ManagerErrorCode } from "../manager-error.ts";
import { PostgresServer } from "./postgres-server.ts";
import { OWN_CONNECTIONS } from "./server-share.ts";
import { ServerWatch } from "./server-watch.ts";
import type { DoorState } from "./server-watch.ts";
import { ensureSidecarSchema } from "./sidecar-schema.ts";

/** How many addresses of one name a check has time for, the slowest way. */
const MAX_ADDRESSES = 4;
/** How long it may take to find out why a dial failed. */
const DIAGNOSIS_MS = 2_000;

/** A PostgreSQL for a manager. Throws INVALID_CONFIG, naming the setting. Does no I/O. */
export function postgresDatabase(config: DatabaseConfig): DatabaseProvider {
  const resolved = resolveDatabaseConfig(config);
  return {
    address: resolved.address,
    database: resolved.database,
    connectTimeoutMs:
      MAX_ADDRESSES * (resolved.dialTimeoutMs + resolved.statementTimeoutMs + DIAGNOSIS_MS),
    open: (context) => new PostgresDatabase({ config: resolved, context }),
  };
}

export interface PostgresDatabaseOptions {
  readonly config: ResolvedDatabaseConfig;
  readonly context: DatabaseContext;
}

/** What exists while a server is served from; see the table of `ManagedDatabase`. */
interface Serving {
  readonly type: "serving";
  readonly server: PostgresServer;
  readonly heartbeat: Heartbeat;
  readonly watch: ServerWatch;
}

type State =
  | { readonly type: "at rest"; readonly found: PostgresServer | undefined }
  | Serving
  | { readonly type: "closed" };

/** The controller's suspicions lead to a check at most this often; a check comes each second anyway. */
const MIN_SUSPICION_INTERVAL_MS = 50;

/**
 * A PostgreSQL behind one name or address. At rest each check dials, tries the addresses of the
 * name in their order, and hangs up; what answered first is the server that is then served from. As
 * long as it is, no other is looked at: one pool never holds sessions to two servers.
 */
export class PostgresDatabase implements ManagedDatabase {
  readonly #config: ResolvedDatabaseConfig;
  readonly #context: DatabaseContext;
  #state: State = { type: "at rest", found: undefined };
  #suspectedAt = -Infinity;

  constructor({ config, context }: PostgresDatabaseOptions) {
    this.#config = config;
    this.#context = context;
  }

  async check(options: CallOptions = {}): Promise<DatabaseFacts> {
    const state = this.#state;
    switch (state.type) {
      case "closed":
        throw closed();
      case "at rest":
        return await this.#find(options);
      case "serving":
        try {
          throwIfLeaving(state.watch.state);
          return await state.server.readFacts(options);
        } catch (error) {
          // It was let go in the meantime: the fault is of that.
          if (this.#state === state) {
            throw error;
          }
          return await this.check(options);
        }
    }
  }

  async serve(role: PoolerRole, { signal }: CallOptions = {}): Promise<DatabaseHandle> {
    const { server, heartbeat } = this.#engage();
    switch (role) {
      case PoolerRole.Primary:
        await ensureSidecarSchema(server, { signal });
        signal?.throwIfAborted();
        await heartbeat.write();
        break;
      case PoolerRole.Replica:
        await heartbeat.read({ signal });
        break;
    }
    return server.handle;
  }

  async retire(): Promise<void> {
    if (this.#state.type === "serving") {
      await this.#state.heartbeat.off();
    }
  }

  async letGo(): Promise<void> {
    if (this.#state.type !== "closed") {
      await this.#leave({ type: "at rest", found: undefined });
    }
  }

  status(): ManagedDatabaseStatus {
    const state = this.#state;
    switch (state.type) {
      case "closed":
        return { ...NOTHING, ...counts(undefined) };
      case "at rest":
        return { ...NOTHING, ...counts(state.found) };
      case "serving": {
        const door = state.watch.state;
        return {
          ...counts(state.server),
          heartbeat: state.heartbeat.status(),
          refusal: door.type === "refusing" ? door.error.message : undefined,
        };
      }
    }
  }

  async close(): Promise<void> {
    await this.#leave({ type: "closed" });
  }

  /** Ends what goes with the server in the reverse of the order in which it was made. */
  async #leave(next: State): Promise<void> {
    const before = this.#state;
    this.#state = next;
    switch (before.type) {
      case "closed":
        break;
      case "at rest":
        await before.found?.close();
        break;
      case "serving":
        await before.watch.close();
        await before.heartbeat.off();
        await before.server.close();
        break;
    }
  }

  async #find({ signal }: CallOptions): Promise<DatabaseFacts> {
    let fault: unknown;
    for (const address of await this.#lookUp({ signal })) {
      const server = this.#serverAt(address);
      try {
        const facts = await server.probe({ signal });
        if (this.#state.type === "at rest") {
          this.#state = { type: "at rest", found: server };
        }
        return facts;
      } catch (error) {
        fault ??= error;
        if (signal?.aborted === true || !isOfAddress(error)) {
          throw error;
        }
      }
    }
    throw fault;
  }

  /** The addresses to dial, in their order: at least one. */
  async #lookUp({ signal }: CallOptions): Promise<readonly DatabaseAddress[]> {
    const { address, lookup, dialTimeoutMs } = this.#config;
    if (address.type === "socket" || !isNamed(address)) {
      return [address];
    }
    const { clock } = this.#context;
    using bound = new Deadline({ clock, ms: dialTimeoutMs, what: "the name server", signal });
    try {
      const hosts = await untilAborted(lookup(address.host), bound.signal);
      return hosts.map((host) => ({ ...address, host }));
    } catch (error) {
      throw await dialFault(error, { config: this.#serverConfig(address), clock });
    }
  }

  #serverAt(address: DatabaseAddress): PostgresServer {
    const state = this.#state;
    const config = this.#serverConfig(address);
    if (state.type === "at rest" && state.found?.config.place === config.place) {
      return state.found;
    }
    const { clock, logger, suspect } = this.#context;
    return new PostgresServer({
      config,
      clock,
      logger,
      onConnectionLost: suspect,
      onSuspicion: () => this.#suspect(),
    });
  }

  #serverConfig(address: DatabaseAddress): ServerConfig {
    const named = describeAddress(this.#config.address);
    const actual = describeAddress(address);
    return {
      ...this.#config,
      address,
      place: `PostgreSQL at ${named === actual ? named : `${named} (${actual})`}`,
      applicationName: applicationNamePrefix(this.#context.poolerName),
    };
  }

  #engage(): Serving {
    const state = this.#state;
    if (state.type === "serving") {
      return state;
    }
    if (state.type === "closed") {
      throw closed();
    }
    const { found: server } = state;
    if (server === undefined) {
      throw new ManagerError(
        ManagerErrorCode.DatabaseUnavailable,
        `PostgreSQL at ${describeAddress(this.#config.address)} has not answered yet`,
      );
    }
    server.requireConnections();
    const serving: Serving = {
      type: "serving",
      server,
      heartbeat: this.#heartbeatOf(server),
      watch: this.#watchOf(server),
    };
    this.#state = serving;
    serving.watch.open();
    return serving;
  }

  #heartbeatOf(server: PostgresServer): Heartbeat {
    const { poolerName, heartbeatIntervalMs, clock, logger } = this.#context;
    return new Heartbeat({
      database: server,
      leaderId: poolerName,
      intervalMs: heartbeatIntervalMs,
      clock,
      logger,
    });
  }

  #watchOf(server: PostgresServer): ServerWatch {
    const { clock, logger, suspect, onChange } = this.#context;
    const { address, place } = server.config;
    return new ServerWatch({
      place,
      clock,
      logger,
      dial: (options) => server.probe(options),
      isStillNamed: async (options) => {
        const addresses = await this.#lookUp(options);
        return addresses.some((each) => describeAddress(each) === describeAddress(address));
      },
      onChange: ({ type }) => (type === "leaving" ? suspect() : onChange()),
    });
  }

  #suspect(): void {
    const { clock, suspect } = this.#context;
    const now = clock.monotonic();
    if (this.#state.type !== "serving" || now - this.#suspectedAt < MIN_SUSPICION_INTERVAL_MS) {
      return;
    }
    this.#suspectedAt = now;
    this.#state.watch.lookNow();
    suspect();
  }
}

const NOTHING = { heartbeat: { mode: "off" }, refusal: undefined } as const;

function counts(
  server: PostgresServer | undefined,
): Pick<ManagedDatabaseStatus, "connectionsUsed" | "connectionsLimit"> {
  if (server === undefined) {
    return { connectionsUsed: 0, connectionsLimit: 0 };
  }
  const { used, limit } = server.share;
  return { connectionsUsed: used + OWN_CONNECTIONS, connectionsLimit: limit + OWN_CONNECTIONS };
}

function throwIfLeaving(door: DoorState): void {
  if (door.type === "leaving") {
    throw door.error;
  }
}

/** Whether another address of the same name may do better. */
function isOfAddress(error: unknown): boolean {
  return (
    error instanceof ManagerError &&
    (error.code === ManagerErrorCode.DatabaseUnavailable ||
      error.code === ManagerErrorCode.DatabaseTimeout ||
      error.code === ManagerErrorCode.NotPostgresql)
  );
}

function closed(): ManagerError {
  return new ManagerError(ManagerErrorCode.NotOpen, "the connections to PostgreSQL are closed");
}
