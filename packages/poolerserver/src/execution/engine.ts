import { ServingStatus } from "@multipooler/controller-api";
import type { DatabaseHandle, ServingTarget } from "@multipooler/controller-api";
import { LimitedLogger } from "@multipooler/logging";
import { PoolerErrorCode } from "@multipooler/query-service";
import { Classifier } from "../classification/classifier.ts";
import type { AdminQuery } from "../classification/catalog-rows.ts";
import { CatalogConnection } from "../databases/catalog-connection.ts";
import type { CatalogPlace } from "../databases/catalog-place.ts";
import { MultiPoolerError } from "../error.ts";
import type { ResolvedOptions } from "../multi-pooler-options.ts";
import type {
  ListenerReport,
  NotificationListener,
} from "../notifications/notification-listener.ts";
import { postgresListener } from "../notifications/postgres-listener.ts";
import type { ActivityTotals } from "../pool/activity-totals.ts";
import { borrowBackend } from "../pool/borrowing.ts";
import { Labels } from "../pool/labels.ts";
import type { PoolReport } from "../pool/pool-report.ts";
import { applicationName, postgresBackends } from "../pool/postgres-dial.ts";
import type { UserBudget } from "../pool/user-budget.ts";
import type { UserPools } from "../pool/user-pools.ts";
import { leavingError, servesAsPrimary } from "../serving/admission.ts";
import type { ServingGate } from "../serving/serving-gate.ts";
import type { StatementLimits } from "../session/statements/client-statements.ts";
import { Sessions } from "../session/sessions.ts";
import { StatementRegistry } from "../statements/statement-registry.ts";
import { CatalogWatch } from "./catalog-watch.ts";
import type { CatalogReading } from "./catalog-watch.ts";
import { DefaultsWatch } from "./defaults-watch.ts";
import { checkHealth } from "./health-check.ts";
import type { HealthCheckEngine } from "./health-check.ts";
import { QueryExecutor } from "./query-executor.ts";
import { queryPools } from "./query-pools.ts";
import type { CredentialSource, SessionOpener } from "./query-executor.ts";
import type { ReservationEngine } from "../reservations/reservation-engine.ts";
import type { ReservationIds } from "../reservations/reservation-ids.ts";
import type { ReservationReport } from "../reservations/reservation-report.ts";
import { Reservations } from "../reservations/reservations.ts";
import type { DatabaseObserver } from "../session/statement-observer.ts";
import { TrackingScheduler } from "../tracking/tracking-scheduler.ts";
import type { VirtualPidTable } from "../tracking/virtual-pid-table.ts";
import type { CallEngine } from "./call.ts";
import { SlowLog } from "./slow-log.ts";
import { Terminations } from "./terminations.ts";

/** The name, in the `application_name`, of the connections that catalogs are read over. */
const CATALOG = "catalog";

/**
 * Whose catalog the manager's own connections show: that of the main database. Another one is read
 * over a connection of its own, and not while nothing is asked of it.
 */
export type EngineKind = "main" | "further";

export interface EngineOptions {
  readonly kind: EngineKind;
  readonly database: DatabaseHandle;
  readonly gate: ServingGate;
  readonly budget: UserBudget;
  readonly settings: ResolvedOptions;
  readonly reservationIds: ReservationIds;
  readonly totals: ActivityTotals;
  /** For reading the catalog of a further database. */
  readonly catalogPlace: CatalogPlace;
  /** Says which client each backend serves, if that is wanted. */
  readonly virtualPids: VirtualPidTable | undefined;
}

/** What the query service of an engine leaves to all databases together. */
export interface ServerServices {
  readonly sessions: SessionOpener;
  readonly credentials: CredentialSource;
}

/** Everything that serves queries from one database, from `open` to `close`. */
export class Engine {
  readonly sessions: Sessions;
  readonly #options: EngineOptions;
  readonly #scheduler: UserPools;
  readonly #catalog: CatalogWatch;
  readonly #defaults: DefaultsWatch;
  readonly #labels: Labels;
  readonly #listener: NotificationListener;
  readonly #checks: HealthCheckEngine;
  readonly #calls: CallEngine;
  /** `undefined` for a database that calls do not reach. */
  #reservations: Reservations | undefined;
  readonly #classified: Pick<ReservationEngine, "served" | "gate" | "classifier">;
  readonly #slow: SlowLog;
  #expectsWrites = false;
  /** For what clients cause: one that ends its own backend does so as often as it likes. */
  readonly #logger: LimitedLogger;

  constructor(options: EngineOptions) {
    const { kind, database, gate, budget, settings, totals } = options;
    const { clock, shard } = settings;
    const logger = new LimitedLogger(settings.logger);
    this.#options = options;
    this.#logger = logger;
    const slow = new SlowLog({ limits: settings, database: database.database, clock, logger });
    this.#slow = slow;
    // What waits may wait for a backend that is kept in doubt only.
    const onWaiting = (): void => this.#readIf(this.sessions.areInDoubt);
    const onDoubt = (isUrgent: boolean): void => this.#readIf(isUrgent || scheduler.isAwaited);
    const scheduler = queryPools({ database, settings, budget, totals, slow, logger, onWaiting });
    this.#scheduler = scheduler;
    this.#defaults = new DefaultsWatch({
      database,
      clock,
      logger,
      isNeeded: () => kind === "main" || scheduler.hasSessions,
      onChanged: () => scheduler.renew(),
    });
    const registry = new StatementRegistry();
    const terminate = new Terminations({ database, clock }).end;
    const { virtualPids: table } = options;
    const granting = table === undefined ? scheduler : new TrackingScheduler(scheduler, table);
    this.#checks = { scheduler, clock, terminate, registry };
    this.#calls = { ...this.#checks, scheduler: granting };
    this.#labels = new Labels({
      user: database.user,
      settingsCacheSize: settings.settingsCacheSize,
    });
    const { query, during } = catalogAccess(options);
    this.#catalog = new CatalogWatch({
      classifier: new Classifier({ admin: query, isolation: settings.sessionIsolation }),
      during,
      clock,
      logger,
      onDdl: () => registry.noteDdl(),
      onRead: () => this.sessions.review(),
      isAwaited: () => this.sessions.areInDoubt && scheduler.isAwaited,
      sleeps: kind === "further",
    });
    const served = { ...shard, database: database.database, user: database.user };
    this.#classified = { served, gate, classifier: this.#catalog };
    this.#listener = postgresListener({ database, gate, pools: scheduler, settings, logger });
    const engine = { ...this.#calls, ...this.#classified };
    const limits = sessionLimits(settings);
    const encodingOf = (user: string): string | undefined => this.#defaults.encodingOf(user);
    const observe = observerOf(options);
    const own = { labels: this.#labels, limits, channels: this.#listener, observe, slow, logger };
    const learned = { classifier: this.#catalog, onDoubt, encodingOf };
    this.sessions = new Sessions({
      ...engine,
      ...own,
      ...learned,
      scheduler: granting,
      counts: totals.statements,
      holdsBegin: settings.holdsBegin,
    });
  }

  /** The database that it serves. */
  get database(): string {
    return this.#options.database.database;
  }

  /** The query service for calls to this database. */
  executor(services: ServerServices): QueryExecutor {
    const { gate, settings, reservationIds } = this.#options;
    const { clock } = settings;
    this.#reservations = new Reservations({
      engine: this.#calls,
      ids: reservationIds,
      gate,
      get inactivityTimeoutMs() {
        return settings.inactivityTimeoutMs;
      },
      clock,
      onEvent: settings.onEvent,
      logger: this.#logger,
    });
    return new QueryExecutor({
      ...this.#calls,
      ...this.#classified,
      ...services,
      labels: this.#labels,
      slow: this.#slow,
      reservations: this.#reservations,
      notifications: this.#listener,
    });
  }

  /**
   * Opens a first connection, so that what is wrong shows now, and reads the catalog. The same again
   * after {@link startOver}.
   */
  async open(signal: AbortSignal): Promise<void> {
    await this.#defaults.open(signal);
    if (!this.#scheduler.isPaused) {
      await this.#openFirst(signal);
    }
    await this.#catalog.open(signal);
  }

  /** Grants no connection until `resume`, and ends each one when it comes back. */
  pause(): void {
    this.#scheduler.pause();
  }

  resume(): void {
    this.#scheduler.resume();
  }

  /** The limits of the settings have changed; those of the budget are told afterwards. */
  limitsChanged(): void {
    this.#scheduler.changeLimits(this.#options.settings);
  }

  /** Prepares the sessions for a status, once nothing of the old one runs. */
  prepare(target: ServingTarget): void {
    this.#expectsWrites = target.status === ServingStatus.Serving;
    if (!servesAsPrimary(target)) {
      this.#listener.stop(leavingError(target));
    }
    switch (target.status) {
      case ServingStatus.Serving:
        this.#scheduler.setAccess("read-write");
        return;
      case ServingStatus.ServingReadOnly:
        this.#scheduler.setAccess(target.inRecovery === true ? "standby" : "read-only");
        return;
      case ServingStatus.Drained:
      case ServingStatus.NotServing:
        this.#scheduler.setAccess("none");
    }
  }

  /** See {@link checkHealth}. One that an operator has paused is healthy: its clients wait. */
  async checkHealth(signal: AbortSignal): Promise<void> {
    if (!this.#scheduler.isPaused) {
      await checkHealth(this.#checks, { expectsWrites: this.#expectsWrites, signal });
    }
  }

  /** See `UserPools.reports`. */
  reports(): PoolReport[] {
    return this.#scheduler.reports();
  }

  /** See `Reservations.reports`. */
  reservations(): ReservationReport[] {
    return this.#reservations?.reports() ?? [];
  }

  /** See `Reservations.end`. */
  endReservation(id: bigint): boolean {
    return this.#reservations?.end(id) ?? false;
  }

  /** See `NotificationListener.report`. */
  notifications(): ListenerReport {
    return this.#listener.report();
  }

  /** Resolves when no connection is left. Rejects when the signal aborts. */
  async untilVacant(signal: AbortSignal | undefined): Promise<void> {
    await this.#scheduler.untilVacant(signal);
  }

  /** Replaces the connections that exist now: idle ones at once, others when they come back. */
  reconnect(): void {
    this.#scheduler.renew();
  }

  /** Cuts every connection, and takes nothing to be as it was: the server may be another one. */
  startOver(): void {
    const reason = new MultiPoolerError(
      PoolerErrorCode.NotServing,
      "the pooler connects to its database again",
    );
    this.#listener.stop(reason);
    this.#scheduler.renew();
    this.#scheduler.cut(reason);
    this.#catalog.noteDdl();
    this.sessions.forgetReports();
  }

  /** Ends every session and cuts every connection. */
  async kill(reason: MultiPoolerError): Promise<void> {
    await this.sessions.endAll();
    this.#scheduler.cut(reason);
  }

  /** Ends every session, waiter and timer. Idempotent; never rejects. */
  async close(): Promise<void> {
    await Promise.all([this.sessions.close(), this.#listener.close()]);
    await Promise.all([this.#scheduler.close(), this.#catalog.close(), this.#defaults.close()]);
    this.#logger.flush();
  }

  #readIf(isNeeded: boolean): void {
    if (isNeeded) {
      this.#catalog.hurry();
    }
  }

  async #openFirst(signal: AbortSignal): Promise<void> {
    const lease = await borrowBackend({ scheduler: this.#scheduler, origin: "", signal });
    await lease.release();
  }
}

/** How the catalog is asked. */
function catalogAccess({ kind, database, settings, catalogPlace }: EngineOptions): {
  readonly query: AdminQuery;
  readonly during?: CatalogReading;
} {
  switch (kind) {
    case "main":
      return { query: async (sql, values, options) => await database.admin(sql, values, options) };
    case "further": {
      const name = applicationName(database.applicationName, CATALOG);
      // What is in the database's own schemas must not run instead of what the queries mean.
      const own = { name, clock: settings.clock, settings: { search_path: "pg_catalog" } };
      const openBackend = postgresBackends(database, own)({ user: database.user, keys: undefined });
      const connection = new CatalogConnection({ openBackend, place: catalogPlace });
      return {
        query: (sql, values, options) => connection.query(sql, values, options),
        during: (read, signal) => connection.during(read, signal),
      };
    }
  }
}

function sessionLimits({
  maxSessionStatements,
  maxSessionStatementBytes,
}: ResolvedOptions): StatementLimits {
  return { maxStatements: maxSessionStatements, maxStatementBytes: maxSessionStatementBytes };
}

/** What tells of the statements of this database, if there is somebody to tell. */
function observerOf({ database, settings }: EngineOptions): DatabaseObserver | undefined {
  const { observeStatement } = settings;
  return observeStatement && ((told) => observeStatement({ ...told, database: database.database }));
}
