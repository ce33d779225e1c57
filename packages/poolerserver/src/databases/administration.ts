import type { DatabaseAddress } from "@multipooler/controller-api";
import { PoolerErrorCode } from "@multipooler/query-service";
import type { CallOptions } from "@multipooler/query-service";
import { MultiPoolerError, errorDiagnostic } from "../error.ts";
import type { Engine } from "../execution/engine.ts";
import type { ListenerReport } from "../notifications/notification-listener.ts";
import type { TotalFigures } from "../pool/activity-totals.ts";
import type { PoolReport } from "../pool/pool-report.ts";
import type { ReservationReport } from "../reservations/reservation-report.ts";
import { unknownDatabaseError } from "./database-access.ts";
import type { DatabaseControls } from "./database-controls.ts";
import type { DatabaseLedger } from "./database-ledger.ts";
import type { UserActivity } from "../pool/user-totals.ts";
import { DatabaseRules } from "./database-rules.ts";
import type { Databases } from "./databases.ts";

/** The pool of one user in one database. */
export interface DatabasePool extends PoolReport {
  readonly database: string;
}

/** What was done for one user in one database. */
export interface DatabaseUser extends UserActivity {
  readonly database: string;
}

/** A reservation of a caller of one database. */
export interface DatabaseReservation extends ReservationReport {
  readonly database: string;
}

/** A database that is served, or about which an operator has decided something. */
export interface DatabaseReport {
  readonly name: string;
  /** `undefined` while the pooler has no server. */
  readonly address: DatabaseAddress | undefined;
  readonly isPaused: boolean;
  readonly isDisabled: boolean;
  /** Connections to PostgreSQL. */
  readonly connections: number;
  /** Since the process started. */
  readonly totals: TotalFigures;
}

/** The limits that an operator has set; 0: none. */
export interface PoolLimits {
  readonly capacity: number;
  readonly maxConnectionsPerUser: number;
  readonly maxConnectionsPerDatabase: number;
}

export interface AdministrationOptions {
  readonly limits: PoolLimits;
  /** Which databases are allowed now. */
  readonly rules: () => readonly string[];
  readonly controls: DatabaseControls;
  readonly ledger: DatabaseLedger;
  /** `undefined` while the controller is not open. */
  readonly databases: () => Databases | undefined;
}

/**
 * Shows what a controller has, and does what its operator wants with databases. Works in every state of
 * the controller, without asking the server. Where a name is left out, all databases are meant.
 */
export class Administration {
  readonly limits: PoolLimits;
  readonly #options: AdministrationOptions;

  constructor(options: AdministrationOptions) {
    this.limits = options.limits;
    this.#options = options;
  }

  get areAllPaused(): boolean {
    return this.#options.controls.areAllPaused;
  }

  databases(): DatabaseReport[] {
    const { controls, ledger, databases } = this.#options;
    const address = databases()?.address;
    const pools = this.pools();
    const engines = this.#engines().map(({ database }) => database);
    const names = new Set([...engines, ...controls.named, ...ledger.names]);
    return [...names].map((name) => ({
      name,
      address,
      isPaused: controls.isPaused(name),
      isDisabled: controls.isDisabled(name),
      connections: pools
        .filter(({ database }) => database === name)
        .reduce((sum, { servers }) => sum + servers.length, 0),
      totals: ledger.of(name).figures(),
    }));
  }

  /** What was done for each user in each database since the process started. */
  users(): DatabaseUser[] {
    const { ledger } = this.#options;
    return ledger.names.flatMap((database) =>
      ledger
        .of(database)
        .users()
        .map((activity) => ({ ...activity, database })),
    );
  }

  /** Who listens for notifications, and to how many channels. */
  notifications(): ListenerReport {
    const reports = this.#engines().map((engine) => engine.notifications());
    return {
      channels: reports.reduce((sum, { channels }) => sum + channels, 0),
      subscribers: reports.reduce((sum, { subscribers }) => sum + subscribers, 0),
    };
  }

  pools(): DatabasePool[] {
    return this.#engines().flatMap((engine) =>
      engine.reports().map((report) => ({ ...report, database: engine.database })),
    );
  }

  /** What callers hold between their requests. */
  reservations(): DatabaseReservation[] {
    return this.#engines().flatMap((engine) =>
      engine.reservations().map((report) => ({ ...report, database: engine.database })),
    );
  }

  /** Ends a reservation; its caller gets 40001. False: there is none of that id. */
  endReservation(id: bigint): boolean {
    return this.#engines().some((engine) => engine.endReservation(id));
  }

  /**
   * Has new transactions wait, up to their own limit, and resolves when those that run have ended and
   * every connection is closed. If the signal aborts it stays paused.
   *
   * @throws WRONG_TARGET (3D000); INVALID_ARGUMENT (55000) for one that is paused
   */
  async pause(database: string | undefined, { signal }: CallOptions = {}): Promise<void> {
    const { controls } = this.#options;
    this.#requireKnown(database);
    if (database === undefined ? controls.areAllPaused : controls.isPaused(database)) {
      throw stateError(`${nameOf(database)} paused already`);
    }
    controls.pause(database);
    const engines = this.#enginesOf(database);
    for (const engine of engines) {
      engine.pause();
    }
    await Promise.all(engines.map(async (engine) => await engine.untilVacant(signal)));
  }

  /**
   * Lets those go on that wait.
   *
   * @throws WRONG_TARGET (3D000); INVALID_ARGUMENT (55000) for one that is not paused, or by itself
   */
  resume(database: string | undefined): void {
    const { controls } = this.#options;
    this.#requireKnown(database);
    if (database !== undefined && controls.areAllPaused) {
      throw stateError("all databases are paused together: resume them without a name");
    }
    const isPaused =
      database === undefined
        ? controls.areAllPaused || this.databases().some((one) => one.isPaused)
        : controls.isPaused(database);
    if (!isPaused) {
      throw stateError(`${nameOf(database)} not paused`);
    }
    controls.resume(database);
    for (const engine of this.#enginesOf(database)) {
      engine.resume();
    }
  }

  /** Replaces connections: idle ones at once, others when they come back. @throws WRONG_TARGET */
  reconnect(database: string | undefined): void {
    this.#requireKnown(database);
    for (const engine of this.#enginesOf(database)) {
      engine.reconnect();
    }
  }

  /** Pauses a database, ends its sessions and cuts its connections. @throws WRONG_TARGET */
  async kill(database: string | undefined): Promise<void> {
    this.#requireKnown(database);
    this.#options.controls.pause(database);
    const reason = new MultiPoolerError(
      PoolerErrorCode.NotServing,
      "an operator has cut the connections of the database",
    );
    await Promise.all(
      this.#enginesOf(database).map(async (engine) => {
        engine.pause();
        await engine.kill(reason);
      }),
    );
  }

  /** Refuses new sessions of a database. @throws WRONG_TARGET */
  disable(database: string): void {
    this.#requireKnown(database);
    this.#options.controls.setDisabled(database, true);
  }

  /** @throws WRONG_TARGET */
  enable(database: string): void {
    this.#requireKnown(database);
    this.#options.controls.setDisabled(database, false);
  }

  #engines(): readonly Engine[] {
    return this.#options.databases()?.engines() ?? [];
  }

  #enginesOf(database: string | undefined): readonly Engine[] {
    const engines = this.#engines();
    return database === undefined ? engines : engines.filter((one) => one.database === database);
  }

  /** One that is allowed need not exist: it may be about to be created. */
  #requireKnown(database: string | undefined): void {
    const isKnown =
      database === undefined ||
      new DatabaseRules(this.#options.rules()).permission(database) !== "none" ||
      this.#options.databases()?.mainName === database ||
      this.#options.ledger.names.includes(database);
    if (!isKnown) {
      throw unknownDatabaseError(database);
    }
  }
}

function nameOf(database: string | undefined): string {
  return database === undefined ? "all databases are" : `database "${database}" is`;
}

function stateError(message: string): MultiPoolerError {
  return new MultiPoolerError(PoolerErrorCode.InvalidArgument, message, {
    diagnostic: errorDiagnostic("55000", message),
  });
}
