import { PoolerErrorCode } from "@multipooler/query-service";
import type {
  CallOptions,
  Diagnostic,
  ExecuteRequest,
  Outcome,
  PoolerError,
  QueryService,
  Reservation,
  ResultSink,
} from "@multipooler/query-service";
import type {
  ConsensusTerm,
  IntentStatus,
  ManagerStatus,
  NotReady,
  OperatorIntent,
  RoleResult,
} from "@multipooler/manager";
import type { PoolerManager } from "../src/server/pooler-manager.ts";
import { FakeReplication } from "./fake-replication.ts";

/** What stands in for a controller's `streamExecute`; `undefined` leaves no reservation. */
export type Execute = (
  request: ExecuteRequest,
  sink: ResultSink,
  options?: CallOptions,
) => Promise<Outcome | void>;

/** What stands in for what a controller does with a reservation. */
export type ReservationVerbs = Pick<
  QueryService,
  "concludeTransaction" | "discardTempTables" | "releaseReservation"
>;

/** What stands in for a controller's COPY. */
export type CopyVerbs = Pick<QueryService, "copyIn" | "copyOut">;

/** A manager whose controller runs what the test gives it. */
export class FakeManager implements PoolerManager {
  /** What the controller does with a statement. */
  execute: Execute = () => Promise.resolve();
  /** What the controller says of a statement. */
  describe: QueryService["describe"] = () =>
    Promise.resolve({ parameterTypes: [], fields: undefined });
  /** What the controller answers who asks for credentials. */
  credentials: QueryService["getCredentials"] = () => Promise.resolve(undefined);
  /** What it does with reservations; there are none. */
  verbs: ReservationVerbs = {
    concludeTransaction: noReservation,
    discardTempTables: noReservation,
    releaseReservation: () => Promise.resolve({ reservation: undefined }),
  };
  /** Whom it listens for; it does not listen. */
  subscribe: QueryService["subscribe"] = () => {
    throw new FakePoolerError(PoolerErrorCode.Unimplemented, "no notifications here");
  };
  /** What it does with a COPY; it has none. */
  copies: CopyVerbs = { copyIn: noCopy, copyOut: noCopy };
  /** When set, the controller has no executor and throws this. */
  refusal: Error | undefined;
  /** What coordinators asked for so far. */
  readonly asked: unknown[] = [];
  readonly consensus: PoolerManager["consensus"] = {
    setTerm: async (term, { force } = {}) => {
      this.asked.push(force === undefined ? term : { ...term, force });
      return term;
    },
    beginTerm: async (request) => {
      this.asked.push(request);
      return { term: request.term, accepted: true };
    },
    status: async () => ({
      term: TERM,
      wal: { inRecovery: false, lsn: "0/3000148", standby: undefined },
      postgres: { host: "db1", port: 5432 },
    }),
    leadershipView: () => ({
      leader: TERM.leader,
      leaderTerm: TERM.number,
      lastHeartbeatAt: new Date("2026-01-02T03:04:05.000Z"),
      lagMs: 1500,
    }),
    canReachPrimary: async (host, port) => {
      this.asked.push({ host, port });
      return { reachable: false, problem: "no active WAL receiver" };
    },
  };
  /** Why it does not serve after a change of its role. */
  notServing: NotReady | undefined;
  readonly roles: PoolerManager["roles"] = {
    promote: async (request) => {
      const { notServing } = this;
      this.asked.push(request);
      return { term: 3n, wasAlready: false, lsn: "0/3000200", steps: STEPS, notServing };
    },
    demote: async (request) => {
      const { notServing } = this;
      this.asked.push(request);
      return {
        term: 3n,
        wasAlready: true,
        lsn: undefined,
        steps: [],
        notServing,
        terminated: 2,
        synchronous: undefined,
      };
    },
    undoDemote: async (request) => {
      const { notServing } = this;
      this.asked.push(request);
      return { term: 3n, wasAlready: false, lsn: "0/3000300", steps: STEPS, notServing };
    },
    changeType: async (type) => {
      this.asked.push(type);
      return { notServing: this.notServing };
    },
  };
  /** What operators wished so far. */
  readonly wishes: (OperatorIntent & { readonly wait: boolean | undefined })[] = [];
  /** Set, the answer to a wish waits for it. */
  servingAnswer: ((signal: AbortSignal | undefined) => Promise<void>) | undefined;
  readonly replication: FakeReplication = new FakeReplication();
  readonly #listeners = new Set<(status: ManagerStatus) => void>();
  #status: ManagerStatus = managerStatus();

  queryServiceControl(): { getExecutor(): QueryService } {
    return {
      getExecutor: () => {
        if (this.refusal !== undefined) {
          throw this.refusal;
        }
        return {
          streamExecute: async (...call) =>
            (await this.execute(...call)) ?? { reservation: undefined },
          describe: (...call) => this.describe(...call),
          ...this.verbs,
          ...this.copies,
          openSession: () =>
            Promise.reject(new FakePoolerError(PoolerErrorCode.Unimplemented, "no sessions here")),
          getCredentials: (...call) => this.credentials(...call),
          subscribe: (...call) => this.subscribe(...call),
        };
      },
    };
  }

  status(): ManagerStatus {
    return this.#status;
  }

  /** Takes the wish at once, and is there. */
  async setServingStatus(
    intent: OperatorIntent,
    { wait, signal }: CallOptions & { readonly wait?: boolean | undefined } = {},
  ): Promise<IntentStatus> {
    const since = new Date("2026-01-02T03:04:06.000Z");
    const held = { ...intent, since, forgottenBecause: undefined };
    this.wishes.push({ ...intent, wait });
    this.change({ intent: held });
    await this.servingAnswer?.(signal);
    return held;
  }

  watchStatus(listener: (status: ManagerStatus) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** How many watch the status. */
  get watchers(): number {
    return this.#listeners.size;
  }

  change(change: Partial<ManagerStatus>): void {
    this.#status = { ...this.#status, ...change };
    for (const listener of this.#listeners) {
      listener(this.#status);
    }
  }
}

function noCopy(): Promise<Outcome> {
  return Promise.reject(new FakePoolerError("UNIMPLEMENTED", "no COPY here"));
}

function noReservation(): Promise<Outcome> {
  return Promise.reject(new FakePoolerError("RESERVATION_LOST", "it is not known"));
}

/** What a controller throws. */
export class FakePoolerError extends Error implements PoolerError {
  override readonly name = "PoolerError";
  readonly code: PoolerErrorCode;
  readonly diagnostic: Diagnostic | undefined;
  readonly reservation: Reservation | undefined;

  constructor(
    code: PoolerErrorCode,
    message: string,
    diagnostic?: Diagnostic,
    { cause, reservation }: { cause?: unknown; reservation?: Reservation } = {},
  ) {
    super(message, { cause });
    this.code = code;
    this.diagnostic = diagnostic;
    this.reservation = reservation;
  }
}

/** What changes of role consist of. */
const STEPS: RoleResult["steps"] = [
  { name: "promote", explanation: "have PostgreSQL end recovery", isNeeded: true },
];

/** A term that the pooler leads. */
export const TERM: ConsensusTerm = {
  number: 3n,
  acceptedLeader: undefined,
  acceptedAt: undefined,
  leader: { component: "MULTIPOOLER", cell: "zone1", name: "abc12345" },
};

/** The status of a pooler that serves. */
export function managerStatus(): ManagerStatus {
  return {
    state: { name: "ready" },
    ready: true,
    notReadyReason: undefined,
    notReadyCode: undefined,
    notReadySince: undefined,
    pooler: { cell: "zone1", name: "abc12345" },
    shard: { database: "postgres", tableGroup: "default", shard: "0-inf" },
    type: "PRIMARY",
    term: TERM,
    demotion: { term: 2n, lsn: "0/3000148" },
    runningAction: { action: "SetTerm", since: new Date("2026-01-02T03:04:05.000Z") },
    serving: {
      current: {
        status: "SERVING",
        role: "PRIMARY",
        term: { coordinatorTerm: 3n, leaderSubterm: 1n },
        reason: "the database is healthy",
      },
      wanted: undefined,
    },
    intent: {
      status: "SERVING",
      reason: "",
      since: undefined,
      forgottenBecause: "the pooler has no directory of its own (--pooler-dir)",
    },
    transitions: [],
    database: {
      address: { type: "tcp", host: "::1", port: 5432 },
      database: "postgres",
      reachable: true,
      lastError: undefined,
      inRecovery: false,
      serverVersion: "17.6",
      connectionsUsed: 4,
      connectionsLimit: 97,
    },
    topology: {
      implementation: "memory",
      registered: true,
      typeSource: "topology",
      ignoredType: undefined,
      shardPrimary: { pooler: { cell: "zone1", name: "abc12345" }, address: "db1:15270" },
      lastError: undefined,
      lastPublishedAt: new Date("2026-01-02T03:04:05.678Z"),
      awaySince: undefined,
    },
    heartbeat: {
      mode: "writer",
      lastWrittenAt: new Date("2026-01-02T03:04:05.000Z"),
      lastError: undefined,
    },
    startedAt: new Date("2026-01-02T03:04:00.000Z"),
  };
}
