import type { CallOptions } from "@multipooler/query-service";
import type { Clock } from "@multipooler/timing";
import type { ActionLease } from "../actions/action-lock.ts";
import { ManagerError, ManagerErrorCode } from "../manager-error.ts";
import type { DedicatedConnection, DedicatedOptions } from "../postgres/dedicated-connection.ts";
import { TurnLimit } from "../postgres/turn-limit.ts";
import { follow, forgetPrimary } from "./follow.ts";
import { checkLsn } from "./lsn.ts";
import { readMainProcess } from "./main-process.ts";
import { primaryConnInfo } from "./primary-conn-info.ts";
import type { ReplicationLogin } from "./primary-conn-info.ts";
import { readPrimaryStatus } from "./primary-status.ts";
import { promote } from "./promote.ts";
import type {
  FollowRequest,
  Lsn,
  MainProcess,
  PauseMode,
  PrimaryStatus,
  ReplicationControl,
  ReplicationStatus,
  ServerPosition,
  StandbyUpdate,
  SynchronousReplication,
} from "./replication-control.ts";
import { interrupted } from "./replication-fault.ts";
import { ReplicationSession } from "./replication-session.ts";
import { readReplicationStatus } from "./replication-status.ts";
import { setSynchronous, updateStandbys } from "./synchronous-replication.ts";
import { terminateClients } from "./terminate-clients.ts";
import { pause, resumeReplay, waitForLsn } from "./wal-replay.ts";
import { readPosition } from "./wal-position.ts";

export interface PostgresReplicationOptions {
  readonly clock: Clock;
  /** Connects to the server that is in use, or else to the one that answers. */
  readonly connect: (options: DedicatedOptions) => Promise<DedicatedConnection>;
  /** How long a statement that changes nothing may take. */
  readonly statementTimeoutMs: number;
  /** How this pooler is called by the primary that it follows. */
  readonly applicationName: string;
  /** `application_name` of the manager's own connections, which are spared. */
  readonly ownConnections: readonly string[];
  readonly login: ReplicationLogin;
}

/** A statement that changes something may have to wait for the disk. */
const CHANGE_TIMEOUT_MS = 3_000;
/** How many calls, and how many waits for a position, have a connection at once. */
const MAX_CALLS = 3;
const MAX_WAITS = 8;

/** Replication of a PostgreSQL, from the start of a manager to its end. */
export class PostgresReplication implements ReplicationControl {
  readonly #options: PostgresReplicationOptions;
  readonly #calls = new TurnLimit(MAX_CALLS);
  readonly #waits = new TurnLimit(MAX_WAITS);
  readonly #running = new Set<Promise<unknown>>();
  readonly #closing = new AbortController();

  constructor(options: PostgresReplicationOptions) {
    this.#options = options;
  }

  position(options?: CallOptions): Promise<ServerPosition> {
    return this.#read(readPosition, options);
  }

  mainProcess(options?: CallOptions): Promise<MainProcess | undefined> {
    return this.#read(readMainProcess, options);
  }

  replicationStatus(options?: CallOptions): Promise<ReplicationStatus> {
    return this.#read(readReplicationStatus, options);
  }

  primaryStatus(options?: CallOptions): Promise<PrimaryStatus> {
    return this.#read(readPrimaryStatus, options);
  }

  async waitForLsn(
    target: Lsn,
    timeoutMs: number | undefined,
    options: CallOptions = {},
  ): Promise<void> {
    const lsn = checkLsn("target_lsn", target);
    await this.#run((session) => waitForLsn(session, lsn, timeoutMs), {
      ...options,
      turns: this.#waits,
      statementTimeoutMs: this.#options.statementTimeoutMs,
    });
  }

  async follow(
    lease: ActionLease,
    request: FollowRequest,
    options: CallOptions = {},
  ): Promise<void> {
    const connInfo = primaryConnInfo(request, this.#options);
    await this.#change((session) => follow(session, lease, { connInfo, request }), options);
  }

  async resumeReplay(lease: ActionLease, options: CallOptions = {}): Promise<void> {
    await this.#change(async (session) => {
      await session.require("standby");
      await resumeReplay(session, lease);
    }, options);
  }

  pause(
    lease: ActionLease,
    mode: PauseMode,
    waits: boolean,
    options: CallOptions = {},
  ): Promise<ReplicationStatus> {
    return this.#change((session) => pause(session, lease, { mode, waits }), options);
  }

  forgetPrimary(lease: ActionLease, options: CallOptions = {}): Promise<void> {
    return this.#change((session) => forgetPrimary(session, lease), options);
  }

  setSynchronous(
    lease: ActionLease,
    wanted: SynchronousReplication | undefined,
    options: CallOptions = {},
  ): Promise<void> {
    return this.#change((session) => setSynchronous(session, lease, wanted), options);
  }

  updateStandbys(
    lease: ActionLease,
    update: StandbyUpdate,
    options: CallOptions = {},
  ): Promise<void> {
    return this.#change((session) => updateStandbys(session, lease, update), options);
  }

  promote(lease: ActionLease, options: CallOptions = {}): Promise<void> {
    return this.#change((session) => promote(session, lease), options);
  }

  terminateClients(lease: ActionLease, options: CallOptions = {}): Promise<number> {
    const { ownConnections } = this.#options;
    return this.#change((session) => terminateClients(session, lease, ownConnections), options);
  }

  /** Ends what runs; resolves when no connection is left. Idempotent. */
  async close(): Promise<void> {
    this.#closing.abort();
    await Promise.allSettled(this.#running);
  }

  #read<T>(
    work: (session: ReplicationSession) => Promise<T>,
    options: CallOptions = {},
  ): Promise<T> {
    const { statementTimeoutMs } = this.#options;
    return this.#run(work, { ...options, turns: this.#calls, statementTimeoutMs });
  }

  #change<T>(work: (session: ReplicationSession) => Promise<T>, options: CallOptions): Promise<T> {
    const turns = this.#calls;
    return this.#run(work, { ...options, turns, statementTimeoutMs: CHANGE_TIMEOUT_MS });
  }

  #run<T>(work: (session: ReplicationSession) => Promise<T>, call: CallOptions & Turn): Promise<T> {
    const running = this.#runInTurn(work, call).finally(() => this.#running.delete(running));
    this.#running.add(running);
    return running;
  }

  async #runInTurn<T>(
    work: (session: ReplicationSession) => Promise<T>,
    { signal: callers, turns, statementTimeoutMs }: CallOptions & Turn,
  ): Promise<T> {
    const { clock, connect } = this.#options;
    const closing = this.#closing.signal;
    if (closing.aborted) {
      const message = "the connections to PostgreSQL are closed";
      throw new ManagerError(ManagerErrorCode.NotOpen, message);
    }
    const signal = callers === undefined ? closing : AbortSignal.any([closing, callers]);
    const pass = await takeTurn(turns, signal);
    try {
      await using connection = await connect({ signal, statementTimeoutMs });
      const session = new ReplicationSession({ connection, clock, statementTimeoutMs, signal });
      return await work(session);
    } finally {
      pass();
    }
  }
}

interface Turn {
  readonly turns: TurnLimit;
  readonly statementTimeoutMs: number;
}

async function takeTurn(turns: TurnLimit, signal: AbortSignal): Promise<() => void> {
  try {
    return await turns.take(signal);
  } catch (error) {
    throw signal.aborted ? interrupted(signal) : error;
  }
}
