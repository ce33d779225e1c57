import { PoolerRole } from "@multipooler/controller-api";
import type { DatabaseHandle } from "@multipooler/controller-api";
import type { CallOptions } from "@multipooler/query-service";
import { describeAddress } from "../address-text.ts";
import { ownConnectionNames } from "./admin-client-config.ts";
import type { ResolvedDatabaseConfig } from "./database-config.ts";
import type { DedicatedConnection, DedicatedOptions } from "./dedicated-connection.ts";
import { Heartbeat } from "../heartbeat/heartbeat.ts";
import type {
  DatabaseContext,
  DatabaseFacts,
  ManagedDatabase,
  ManagedDatabaseStatus,
} from "../database/managed-database.ts";
import { ManagerError, ManagerErrorCode } from "../manager-error.ts";
import { LastAnswer } from "./last-answer.ts";
import type { PostgresServer } from "./postgres-server.ts";
import { PostgresReplication } from "../replication/postgres-replication.ts";
import { ServerSearch } from "./server-search.ts";
import { ownConnections } from "./server-share.ts";
import { ServerWatch, movedFault } from "./server-watch.ts";
import type { DoorState } from "./server-watch.ts";
import { ensureSidecarSchema } from "./sidecar-schema.ts";

export interface PostgresDatabaseOptions {
  /** The same but for its address. */
  readonly config: () => ResolvedDatabaseConfig;
  readonly context: DatabaseContext;
  readonly onClosed: () => void;
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
  readonly #config: PostgresDatabaseOptions["config"];
  readonly #context: DatabaseContext;
  readonly #onClosed: () => void;
  /** Aborts when another address is configured. */
  #place = new AbortController();
  readonly #search: ServerSearch;
  readonly #answer: LastAnswer;
  readonly replication: PostgresReplication;
  #state: State = { type: "at rest", found: undefined };
  #suspectedAt = -Infinity;

  constructor({ config, context, onClosed }: PostgresDatabaseOptions) {
    this.#config = config;
    this.#context = context;
    this.#onClosed = onClosed;
    this.#search = new ServerSearch({ config, context, onSuspicion: () => this.#suspect() });
    const { poolerName, clock } = context;
    this.#answer = new LastAnswer(clock);
    const { statementTimeoutMs, user, database, replicationConnInfo } = config();
    this.replication = new PostgresReplication({
      clock,
      connect: (options) => this.#connect(options),
      statementTimeoutMs,
      applicationName: poolerName,
      ownConnections: ownConnectionNames(poolerName),
      login: { user, database, settings: replicationConnInfo },
    });
  }

  /** Another address than that of `before` is configured. Takes effect before it returns. */
  moved(before: ResolvedDatabaseConfig): void {
    const state = this.#state;
    let fault = movedFault(`PostgreSQL at ${describeAddress(before.address)}`);
    switch (state.type) {
      case "closed":
        return;
      case "at rest":
        // It holds no connection.
        this.#state = { type: "at rest", found: undefined };
        break;
      case "serving":
        fault = movedFault(state.server.config.place);
        state.server.share.seal();
        state.watch.leave(fault);
        break;
    }
    this.#place.abort(fault);
    this.#place = new AbortController();
    this.#context.onMoved(fault);
  }

  async check(options: CallOptions = {}): Promise<DatabaseFacts> {
    const state = this.#state;
    switch (state.type) {
      case "closed":
        throw closed();
      case "at rest":
        return await this.#find(state.found, options);
      case "serving":
        return await this.#ask(state, options);
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
        return AT_REST;
      case "at rest":
        return { ...AT_REST, connectionsLimit: limitOf(state.found) };
      case "serving": {
        const door = state.watch.state;
        return {
          connectionsUsed: state.server.share.used + ownOf(state.server),
          connectionsLimit: limitOf(state.server),
          heartbeat: state.heartbeat.status(),
          refusal: door.type === "refusing" ? door.error : undefined,
          writeFault: state.heartbeat.writeFault,
        };
      }
    }
  }

  async close(): Promise<void> {
    this.#onClosed();
    await this.replication.close();
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

  /** For replication: to the server that is served from, or to the one that answers. */
  async #connect(options: DedicatedOptions): Promise<DedicatedConnection> {
    const state = this.#state;
    switch (state.type) {
      case "closed":
        throw closed();
      case "serving":
        return await state.server.openDedicated("replication", options);
      case "at rest": {
        const dial = (server: PostgresServer): Promise<DedicatedConnection> =>
          server.openDedicated("replication", options);
        return await this.#search.first(state.found, dial, options);
      }
    }
  }

  async #ask(state: Serving, options: CallOptions): Promise<DatabaseFacts> {
    const { server, watch } = state;
    try {
      throwIfLeaving(watch.state);
      const facts = await server.readFacts(options);
      throwIfLeaving(watch.state);
      return this.#answer.remember(server, facts);
    } catch (error) {
      if (this.#state !== state) {
        // It was let go in the meantime: the fault is of that.
        return await this.check(options);
      }
      throwIfLeaving(watch.state);
      return this.#answer.whileFull(server, error);
    }
  }

  async #find(known: PostgresServer | undefined, options: CallOptions): Promise<DatabaseFacts> {
    const place = this.#place.signal;
    const { signal = place } = options;
    try {
      const either = AbortSignal.any([signal, place]);
      const { server, facts } = await this.#search.find(known, { signal: either });
      place.throwIfAborted();
      if (this.#state.type === "at rest") {
        this.#state = { type: "at rest", found: server };
      }
      return this.#answer.remember(server, facts);
    } catch (error) {
      if (!place.aborted || options.signal?.aborted === true) {
        throw error;
      }
      // What was found, or was not, is of the place before.
      return await this.check(options);
    }
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
        `PostgreSQL at ${describeAddress(this.#config().address)} has not answered yet`,
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
    const { poolerName, heartbeatIntervalMs, clock, logger, onChange } = this.#context;
    return new Heartbeat({
      database: server,
      leaderId: poolerName,
      intervalMs: heartbeatIntervalMs,
      clock,
      logger,
      onChange,
    });
  }

  #watchOf(server: PostgresServer): ServerWatch {
    const { clock, logger, suspect, onChange } = this.#context;
    return new ServerWatch({
      place: server.config.place,
      clock,
      logger,
      dial: (options) => server.probe(options),
      isStillNamed: this.#search.isByName
        ? async (options) => {
            const addresses = await this.#search.addresses(options);
            return addresses.some((address) => this.#search.isAt(server, address));
          }
        : undefined,
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

const AT_REST = {
  connectionsUsed: 0,
  connectionsLimit: 0,
  heartbeat: { mode: "off" },
  refusal: undefined,
  writeFault: undefined,
} as const;

function limitOf(server: PostgresServer | undefined): number {
  return server === undefined ? 0 : server.share.limit + ownOf(server);
}

function ownOf({ config }: PostgresServer): number {
  return ownConnections(config.adminConnections);
}

function throwIfLeaving(door: DoorState): void {
  if (door.type === "leaving") {
    throw door.error;
  }
}

function closed(): ManagerError {
  return new ManagerError(ManagerErrorCode.NotOpen, "the connections to PostgreSQL are closed");
}
