import { ServingStatus } from "@multipooler/controller-api";
import type { ServingTarget } from "@multipooler/controller-api";
import type { Session } from "@multipooler/query-service";
import { ManualClock } from "@multipooler/timing/testing";
import type { Classification } from "../src/classification/classification.ts";
import { Taint } from "../src/classification/taint.ts";
import { QueryExecutor } from "../src/execution/query-executor.ts";
import { ActivityTotals } from "../src/pool/activity-totals.ts";
import { Labels } from "../src/pool/labels.ts";
import type { PoolAccess } from "../src/pool/pool.ts";
import { UserBudget } from "../src/pool/user-budget.ts";
import { UserPools } from "../src/pool/user-pools.ts";
import { ReservationIds } from "../src/reservations/reservation-ids.ts";
import { Reservations } from "../src/reservations/reservations.ts";
import { ServingGate } from "../src/serving/serving-gate.ts";
import { Sessions } from "../src/session/sessions.ts";
import { StatementRegistry } from "../src/statements/statement-registry.ts";
import { CountingShare } from "./counting-share.ts";
import { noChannels } from "./no-channels.ts";
import { ServingBackend } from "./serving-backend.ts";
import { TestClient } from "./session-client.ts";
import { silentLogger } from "./silent-logger.ts";

const CAPACITY = 3;

const ACCESS: Readonly<Record<ServingStatus, PoolAccess>> = {
  [ServingStatus.Serving]: "read-write",
  [ServingStatus.ServingReadOnly]: "read-only",
  [ServingStatus.Drained]: "none",
  [ServingStatus.NotServing]: "none",
};

const PLAIN: Classification = {
  statements: 1,
  sharing: "mayWait",
  taint: Taint.None,
  certainTaint: Taint.None,
  ddl: false,
  copy: undefined,
  opensTransaction: false,
  endsTransaction: false,
  deallocates: false,
  makesTemporary: false,
  setsLocally: false,
  escapes: undefined,
};
const BY_VERB: Readonly<Record<string, Classification>> = {
  begin: { ...PLAIN, sharing: "exclusive", opensTransaction: true },
  commit: { ...PLAIN, sharing: "exclusive", endsTransaction: true },
};

/** The gate with the real executor and sessions behind it, over backends that the test answers. */
export class ServingWorld {
  readonly clock: ManualClock = new ManualClock();
  readonly backends: ServingBackend[] = [];
  readonly gate: ServingGate;
  readonly executor: QueryExecutor;
  readonly reservations: Reservations;
  readonly sessions: Sessions;
  /** What should not have happened. */
  readonly faults: string[] = [];
  readonly #pools: UserPools;
  isOpen = true;

  constructor(drainGraceMs: number) {
    const { clock } = this;
    const logger = silentLogger;
    this.gate = new ServingGate({
      drainGraceMs,
      isOpen: () => this.isOpen,
      prepare: (target) => this.#prepare(target),
      clock,
      logger,
    });
    const { gate } = this;
    this.#pools = this.#newPools();
    const engine = {
      scheduler: this.#pools,
      clock,
      terminate: async (processId: number) => this.#terminate(processId),
      registry: new StatementRegistry(),
    };
    const served = { database: "app", tableGroup: "", shard: "", user: "app" };
    const classifier = {
      classify: (text: string) => BY_VERB[text.split(" ")[0]?.toLowerCase() ?? ""] ?? PLAIN,
      noteDdl: () => undefined,
      changes: 0,
      taintSince: () => Taint.None,
    };
    const labels = new Labels({ user: served.user, settingsCacheSize: 10 });
    const common = { ...engine, served, gate, classifier, labels, logger };
    this.sessions = new Sessions({ ...common, channels: noChannels });
    this.reservations = new Reservations({
      engine,
      ids: new ReservationIds(clock),
      gate,
      inactivityTimeoutMs: 0,
      clock,
      logger,
    });
    this.executor = new QueryExecutor({
      ...common,
      sessions: this.sessions,
      credentials: { get: () => Promise.resolve(undefined) },
      notifications: {
        subscribe: () => {
          throw new Error("nobody listens here");
        },
      },
      reservations: this.reservations,
    });
  }

  /** A client that has logged in. The gate has to admit it. */
  async connect(origin: string): Promise<TestClient> {
    const client = new TestClient();
    const caller = { user: "", database: "", settings: new Map<string, string>(), origin };
    const session: Session = await this.sessions.open(caller, client);
    client.attach(session);
    return client;
  }

  /** Answers the first request of each backend. Returns whether there was one. */
  answerAll(): boolean {
    return this.backends.map((backend) => backend.answer()).some(Boolean);
  }

  /** Ends what is behind the gate. Call it when the gate is closed. */
  async close(): Promise<void> {
    await this.sessions.close();
    await this.#pools.close();
  }

  #prepare(target: ServingTarget): void {
    const { single, reserved } = this.gate.counts;
    if (single + reserved > 0) {
      this.faults.push(`${single} and ${reserved} inside while ${target.status} was prepared`);
    }
    if (this.backends.some((backend) => backend.isUsed)) {
      this.faults.push(`a statement ran while ${target.status} was prepared`);
    }
    this.#pools.setAccess(ACCESS[target.status]);
  }

  #terminate(processId: number): void {
    this.backends.find((backend) => backend.processId === processId)?.lose();
  }

  #newPools(): UserPools {
    const { clock } = this;
    return new UserPools(
      {
        openBackend: () => async (access) => {
          const backend = new ServingBackend(this.backends.length + 1);
          if (access === "read-only") {
            backend.parameters.set("default_transaction_read_only", "on");
          }
          this.backends.push(backend);
          return backend;
        },
        capacity: CAPACITY,
        budget: new UserBudget({ share: new CountingShare(10), capacity: CAPACITY, clock }),
        database: "app",
        user: "app",
        demandWindowMs: 30_000,
        idleTimeoutMs: 0,
        maxLifetimeMs: 0,
        waitTimeoutMs: 0,
        maxQueueBytes: 1_000_000,
        totals: new ActivityTotals(),
        sharingDepth: 8,
        closeGraceMs: 300,
        processes: { activities: () => Promise.resolve([]), endIdle: () => Promise.resolve() },
        suspect: () => undefined,
        clock,
        random: () => 0,
        logger: silentLogger,
      },
      "none",
    );
  }
}
