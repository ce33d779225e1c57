import { ServingStatus } from "@multipooler/controller-api";
import type { DatabaseHandle, ServingTarget } from "@multipooler/controller-api";
import { LimitedLogger } from "@multipooler/logging";
import { Classifier } from "../classification/classifier.ts";
import { CredentialLookup } from "../credentials/credential-lookup.ts";
import type { ResolvedOptions } from "../multi-pooler-options.ts";
import type { NotificationListener } from "../notifications/notification-listener.ts";
import { mayListen, postgresListener } from "../notifications/postgres-listener.ts";
import { borrowBackend } from "../pool/borrowing.ts";
import { Labels } from "../pool/labels.ts";
import { applicationName, postgresBackends } from "../pool/postgres-dial.ts";
import { postgresProcesses } from "../pool/postgres-processes.ts";
import { UserPools } from "../pool/user-pools.ts";
import { leavingError } from "../serving/admission.ts";
import type { ServingGate } from "../serving/serving-gate.ts";
import { Sessions } from "../session/sessions.ts";
import { StatementRegistry } from "../statements/statement-registry.ts";
import { CatalogWatch } from "./catalog-watch.ts";
import { DefaultsWatch } from "./defaults-watch.ts";
import { checkHealth } from "./health-check.ts";
import type { HealthCheckEngine } from "./health-check.ts";
import { QueryExecutor } from "./query-executor.ts";
import type { ReservationIds } from "../reservations/reservation-ids.ts";
import { Reservations } from "../reservations/reservations.ts";
import { postgresTermination } from "./termination.ts";

/** The name of the pool in the `application_name` of its sessions. */
const POOL = "regular";
/** How long `close` waits for a health check that holds a connection. */
const CLOSE_GRACE_MS = 1000;

export interface EngineOptions {
  readonly database: DatabaseHandle;
  readonly gate: ServingGate;
  readonly settings: ResolvedOptions;
  readonly reservationIds: ReservationIds;
}

/** Everything that serves queries from one database, from `open` to `close`. */
export class Engine {
  readonly executor: QueryExecutor;
  readonly #scheduler: UserPools;
  readonly #catalog: CatalogWatch;
  readonly #defaults: DefaultsWatch;
  readonly #sessions: Sessions;
  readonly #listener: NotificationListener;
  readonly #calls: HealthCheckEngine;
  /** For what clients cause: one that ends its own backend does so as often as it likes. */
  readonly #logger: LimitedLogger;

  constructor({ database, gate, settings, reservationIds }: EngineOptions) {
    const { clock, shard, inactivityTimeoutMs } = settings;
    const logger = new LimitedLogger(settings.logger);
    this.#logger = logger;
    const name = applicationName(database.applicationName, POOL);
    this.#scheduler = new UserPools(
      {
        ...settings,
        user: database.user,
        logger,
        openBackend: postgresBackends(database, { name, clock }),
        share: database.share,
        closeGraceMs: CLOSE_GRACE_MS,
        processes: postgresProcesses(database),
        suspect: (cause) => database.suspect(cause),
      },
      "read-write",
    );
    this.#defaults = new DefaultsWatch({
      database,
      clock,
      logger,
      onChanged: () => this.#scheduler.renew(),
    });
    const classifier = new Classifier({
      admin: (sql, values, options) => database.admin(sql, values, options),
      isolation: settings.sessionIsolation,
    });
    const registry = new StatementRegistry();
    const onDdl = (): void => registry.noteDdl();
    this.#catalog = new CatalogWatch({ classifier, clock, logger, onDdl });
    const terminate = postgresTermination(database);
    this.#calls = { scheduler: this.#scheduler, clock, terminate, registry };
    const served = { ...shard, database: database.database, user: database.user };
    const classified = { served, gate, classifier: this.#catalog };
    const scheduler = this.#scheduler;
    this.#sessions = new Sessions({ ...this.#calls, ...classified, scheduler, logger });
    this.#listener = postgresListener({ database, gate, pools: scheduler, settings, logger });
    this.executor = new QueryExecutor({
      ...this.#calls,
      ...classified,
      labels: new Labels({ user: database.user, settingsCacheSize: settings.settingsCacheSize }),
      reservations: new Reservations({
        engine: this.#calls,
        ids: reservationIds,
        gate,
        inactivityTimeoutMs,
        clock,
        logger,
      }),
      sessions: this.#sessions,
      credentials: new CredentialLookup({ database, gate }),
      notifications: this.#listener,
    });
  }

  /** Opens a first connection, so that what is wrong shows now, and reads the catalog. */
  async open(signal: AbortSignal): Promise<void> {
    await this.#defaults.open(signal);
    const lease = await borrowBackend({ scheduler: this.#scheduler, origin: "", signal });
    await lease.release();
    await this.#catalog.open(signal);
  }

  /** Prepares the sessions for a status, once nothing of the old one runs. */
  prepare(target: ServingTarget): void {
    if (!mayListen(target)) {
      this.#listener.stop(leavingError(target));
    }
    switch (target.status) {
      case ServingStatus.Serving:
        this.#scheduler.setAccess("read-write");
        return;
      case ServingStatus.ServingReadOnly:
        this.#scheduler.setAccess("read-only");
        return;
      case ServingStatus.Drained:
      case ServingStatus.NotServing:
        this.#scheduler.setAccess("none");
    }
  }

  /** See {@link checkHealth}. */
  async checkHealth(signal: AbortSignal): Promise<void> {
    await checkHealth(this.#calls, signal);
  }

  /** Ends every session, waiter and timer. Idempotent; never rejects. */
  async close(): Promise<void> {
    await Promise.all([this.#sessions.close(), this.#listener.close()]);
    await Promise.all([this.#scheduler.close(), this.#catalog.close(), this.#defaults.close()]);
    this.#logger.flush();
  }
}
