import { BackendConnection } from "@multipooler/pgwire";
import type { ServingTarget } from "@multipooler/controller-api";
import { PoolerRole, ServingStatus } from "@multipooler/controller-api";
import type { Session, SessionClient } from "@multipooler/query-service";
import type { TestPostgres } from "@multipooler/test-postgres";
import { systemClock } from "@multipooler/timing";
import { ActivityTotals } from "../src/pool/activity-totals.ts";
import { Classifier } from "../src/classification/classifier.ts";
import { resolveOptions } from "../src/multi-pooler-options.ts";
import type { NotificationListener } from "../src/notifications/notification-listener.ts";
import { postgresListener } from "../src/notifications/postgres-listener.ts";
import type { BackendAccess } from "../src/pool/backend.ts";
import type { PoolAccess } from "../src/pool/pool.ts";
import { postgresProcesses } from "../src/pool/postgres-processes.ts";
import type { Identity } from "../src/pool/label.ts";
import { Labels } from "../src/pool/labels.ts";
import { UserBudget } from "../src/pool/user-budget.ts";
import { UserPools } from "../src/pool/user-pools.ts";
import { StatementRegistry } from "../src/statements/statement-registry.ts";
import { leavingError, servesAsPrimary } from "../src/serving/admission.ts";
import { ServingGate } from "../src/serving/serving-gate.ts";
import type { SessionIsolation } from "../src/session-isolation.ts";
import type { SessionLimits } from "../src/session/session-engine.ts";
import type { DatabaseObserver } from "../src/session/statement-observer.ts";
import { Sessions } from "../src/session/sessions.ts";
import { databaseOf } from "./pooler-fixture.ts";
import { CountingShare } from "./counting-share.ts";
import { TestClient } from "./session-client.ts";
import { silentLogger } from "./silent-logger.ts";

const SERVING: ServingTarget = {
  status: ServingStatus.Serving,
  role: PoolerRole.Primary,
  reason: "the test wants it",
};

const ACCESS: Readonly<Record<ServingStatus, PoolAccess>> = {
  [ServingStatus.Serving]: "read-write",
  [ServingStatus.ServingReadOnly]: "read-only",
  [ServingStatus.Drained]: "none",
  [ServingStatus.NotServing]: "none",
};

function accessOf({ status, inRecovery }: ServingTarget): PoolAccess {
  return inRecovery === true && ACCESS[status] === "read-only" ? "standby" : ACCESS[status];
}

export interface SessionSceneOptions {
  readonly postgres: TestPostgres;
  readonly database: string;
  readonly capacity?: number;
  readonly limits?: Partial<SessionLimits>;
  readonly drainGraceMs?: number;
  readonly maxNotificationBytes?: number;
  readonly sessionIsolation?: SessionIsolation;
  readonly waitTimeoutMs?: number;
  readonly holdsBegin?: boolean;
  readonly observe?: DatabaseObserver;
}

/** The sessions of a pooler on a real server, with everything below them. */
export class SessionScene implements AsyncDisposable {
  readonly gate: ServingGate;
  readonly scheduler: UserPools;
  readonly classifier: Classifier;
  readonly sessions: Sessions;
  readonly listener: NotificationListener;
  readonly registry: StatementRegistry = new StatementRegistry();
  /** Every backend that was opened. */
  readonly backends: BackendConnection[] = [];
  #clients = 0;

  static async open(options: SessionSceneOptions): Promise<SessionScene> {
    const scene = new SessionScene(options);
    await scene.classifier.refresh();
    await scene.gate.setTarget(SERVING, undefined);
    return scene;
  }

  private constructor(options: SessionSceneOptions) {
    const { postgres, database, capacity = 2, limits, drainGraceMs = 300 } = options;
    const { sessionIsolation, waitTimeoutMs = 5000, holdsBegin, observe } = options;
    this.gate = new ServingGate({
      drainGraceMs,
      isOpen: () => true,
      prepare: (target) => {
        this.scheduler.setAccess(accessOf(target));
        if (!servesAsPrimary(target)) {
          this.listener.stop(leavingError(target));
        }
      },
      clock: systemClock,
      logger: silentLogger,
    });
    this.scheduler = new UserPools(
      {
        openBackend:
          (identity) =>
          async (access, { signal }) => {
            const backend = await connect(postgres, { identity, database, access, signal });
            this.backends.push(backend);
            return backend;
          },
        capacity,
        budget: new UserBudget({ share: new CountingShare(50), capacity, clock: systemClock }),
        database,
        user: postgres.user,
        demandWindowMs: 30_000,
        idleTimeoutMs: 0,
        maxLifetimeMs: 0,
        waitTimeoutMs,
        maxQueueBytes: 10_000_000,
        totals: new ActivityTotals(),
        sharingDepth: 64,
        sessionIsolation,
        closeGraceMs: 500,
        processes: postgresProcesses({
          admin: async (text, values) => await postgres.sql(text, { values, database }),
        }),
        suspect: () => undefined,
        clock: systemClock,
        random: () => 0,
        logger: silentLogger,
      },
      "read-write",
    );
    this.classifier = new Classifier({
      admin: async (sql, values) => await postgres.sql(sql, { values: [...values], database }),
      isolation: sessionIsolation,
    });
    this.listener = postgresListener({
      database: databaseOf(postgres, { database }),
      gate: this.gate,
      pools: this.scheduler,
      settings: resolveOptions({
        shard: { tableGroup: "default", shard: "0-inf" },
        capacity,
        logger: silentLogger,
        maxNotificationBytes: options.maxNotificationBytes,
      }),
      logger: silentLogger,
    });
    this.sessions = new Sessions({
      served: { user: postgres.user },
      gate: this.gate,
      scheduler: this.scheduler,
      registry: this.registry,
      labels: new Labels({ user: postgres.user, settingsCacheSize: 100 }),
      classifier: this.classifier,
      terminate: async (processId) => {
        const text = "select pg_terminate_backend($1::int4, 1000)";
        await postgres.sql(text, { values: [processId] });
      },
      limits,
      holdsBegin,
      observe,
      channels: this.listener,
      clock: systemClock,
      logger: silentLogger,
    });
  }

  /** A client that has logged in. */
  async connect(settings: Readonly<Record<string, string>> = {}, user = ""): Promise<TestClient> {
    const client = new TestClient();
    client.attach(await this.open(client, settings, user));
    return client;
  }

  /** The session of a client that has logged in. */
  async open(
    client: SessionClient,
    settings: Readonly<Record<string, string>> = {},
    user = "",
  ): Promise<Session> {
    this.#clients += 1;
    const caller = {
      user,
      database: "",
      settings: new Map(Object.entries(settings)),
      origin: `client ${this.#clients}`,
    };
    return await this.sessions.open(caller, client);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.gate.close();
    await this.sessions.close();
    await this.listener.close();
    await this.scheduler.close();
  }
}

async function connect(
  { host, port, password }: TestPostgres,
  {
    identity: { user },
    database,
    access,
    signal,
  }: {
    readonly identity: Identity;
    readonly database: string;
    readonly access: BackendAccess;
    readonly signal: AbortSignal;
  },
): Promise<BackendConnection> {
  const address = { type: "tcp", host, port } as const;
  const credential = async (): Promise<{ type: "password"; password: string }> => ({
    type: "password",
    password,
  });
  const parameters: Record<string, string> =
    access === "read-write" ? {} : { default_transaction_read_only: "on" };
  const options = { address, user, database, credential, parameters };
  return await BackendConnection.connect(options, { signal });
}
