import type { DatabaseAddress, DatabaseHandle, ServingTarget } from "@multipooler/controller-api";
import type {
  CallOptions,
  QueryService,
  Session,
  SessionCaller,
  SessionClient,
} from "@multipooler/query-service";
import { untilAborted } from "../abort.ts";
import { withBudgetLimits } from "../changeable-limits.ts";
import { CredentialLookup } from "../credentials/credential-lookup.ts";
import { notOpenError } from "../error.ts";
import { Engine } from "../execution/engine.ts";
import type { EngineKind } from "../execution/engine.ts";
import type { ReservationIds } from "../reservations/reservation-ids.ts";
import type { ResolvedOptions } from "../multi-pooler-options.ts";
import { UserBudget } from "../pool/user-budget.ts";
import type { ServingGate } from "../serving/serving-gate.ts";
import { SharedAttempt } from "../shared-attempt.ts";
import { VirtualPidTable } from "../tracking/virtual-pid-table.ts";
import { CatalogPlace } from "./catalog-place.ts";
import { CurrentHandle } from "./current-handle.ts";
import { closedDatabaseError, DatabaseAccess } from "./database-access.ts";
import type { DatabaseControls } from "./database-controls.ts";
import type { DatabaseLedger } from "./database-ledger.ts";
import { DatabaseRules } from "./database-rules.ts";
import { DatabaseWatch } from "./database-watch.ts";
import { isUsed } from "./further-state.ts";
import type { Further, OpenDatabase } from "./further-state.ts";
import { furtherDatabase } from "./further-database.ts";

export interface DatabasesOptions {
  /** The main database, and the way to the server. */
  readonly database: DatabaseHandle;
  readonly gate: ServingGate;
  readonly settings: ResolvedOptions;
  readonly reservationIds: ReservationIds;
  readonly controls: DatabaseControls;
  readonly ledger: DatabaseLedger;
}

/**
 * The databases of one server, each with an engine of its own, under one budget: the main one from
 * `open` to `close`, and others from the first session that names them until they are dropped or
 * nobody has used them for a while.
 */
export class Databases {
  readonly executor: QueryService;
  readonly #options: DatabasesOptions;
  readonly #database: CurrentHandle;
  readonly #main: Engine;
  readonly #budget: UserBudget;
  readonly #catalogPlace: CatalogPlace;
  /** That of the main database, for all of them: process ids are of the server. */
  readonly #virtualPids: VirtualPidTable | undefined;
  readonly #access: DatabaseAccess;
  #rules: DatabaseRules;
  readonly #watch: DatabaseWatch;
  readonly #further = new Map<string, Further>();
  #target: ServingTarget | undefined;
  #isClosed = false;

  constructor(options: DatabasesOptions) {
    const { gate, settings } = options;
    const { clock, logger } = settings;
    const database = new CurrentHandle(options.database);
    this.#options = options;
    this.#database = database;
    const { rebalanceIntervalMs: intervalMs } = settings;
    this.#budget = new UserBudget(
      withBudgetLimits({ share: database.share, clock, intervalMs }, () => settings),
    );
    this.#catalogPlace = new CatalogPlace(this.#budget);
    this.#virtualPids = settings.tracksVirtualPids
      ? new VirtualPidTable({ database, clock, logger })
      : undefined;
    this.#main = this.#newEngine("main", database);
    this.#rules = this.#newRules();
    this.#access = new DatabaseAccess({ rules: () => this.#rules, database });
    this.#watch = new DatabaseWatch({
      database,
      clock,
      logger,
      known: () => this.#open().map(({ engine, oid }) => ({ name: engine.database, oid })),
      onGone: (name) => {
        void this.#end(name, "the database was dropped or does not take connections");
      },
      onWanted: (name) => this.#endIdle(name),
      onRead: () => this.#endUnused(),
    });
    this.executor = this.#main.executor({
      sessions: { open: (caller, client, call) => this.#openSession(caller, client, call) },
      credentials: new CredentialLookup({ database, gate, clock, onEvent: settings.onEvent }),
    });
  }

  /** Where the server is. */
  get address(): DatabaseAddress {
    return this.#database.address;
  }

  /** The main database. */
  get mainName(): string {
    return this.#main.database;
  }

  /**
   * Goes on with another handle: every connection over the former one is cut. Sessions stay.
   *
   * @throws INVALID_ARGUMENT for a handle of another database or user
   */
  replaceDatabase(handle: DatabaseHandle): void {
    this.#database.replace(handle);
    this.#catalogPlace.release();
    for (const engine of this.engines()) {
      engine.startOver();
    }
  }

  /** Opens the main database; once more after its handle was replaced. */
  async open(signal: AbortSignal): Promise<void> {
    await this.#main.open(signal);
  }

  /** See `Engine.prepare`; for all databases, those included that are opened later. */
  prepare(target: ServingTarget): void {
    this.#target = target;
    for (const engine of this.engines()) {
      engine.prepare(target);
    }
    this.#virtualPids?.prepare(target);
  }

  /** The limits of the settings have changed. Sessions stay in a database that is not allowed any more. */
  limitsChanged(): void {
    this.#rules = this.#newRules();
    for (const engine of this.engines()) {
      engine.limitsChanged();
    }
    this.#budget.limitsChanged();
  }

  /** See `Engine.checkHealth`; of the main database. */
  async checkHealth(signal: AbortSignal): Promise<void> {
    await this.#main.checkHealth(signal);
  }

  /** Those that serve or are being opened. */
  engines(): Engine[] {
    const further = [...this.#further.values()];
    return [this.#main, ...further.flatMap((one) => (one.state === "closing" ? [] : one.engine))];
  }

  /** Ends everything. Idempotent; never rejects. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#watch.close();
    const closing = [...this.#further.keys()].map((name) => this.#end(name, undefined));
    await Promise.all([...closing, this.#main.close()]);
    await this.#virtualPids?.close();
    this.#budget.close();
  }

  async #openSession(
    caller: SessionCaller,
    client: SessionClient,
    options: CallOptions = {},
  ): Promise<Session> {
    const { controls, ledger } = this.#options;
    const database = this.#database;
    const asked = caller.database === "" ? database.database : caller.database;
    const user = caller.user === "" ? database.user : caller.user;
    const { name, oid } = await untilAborted(
      this.#access.require({ database: asked, user }),
      options.signal,
    );
    if (controls.isDisabled(name)) {
      throw closedDatabaseError(name);
    }
    const named = { ...caller, database: name };
    const session =
      name === database.database
        ? await this.#main.sessions.open(named, client, options)
        : await this.#openFurtherSession(oid, named, client, options);
    ledger.of(name).noteLogin();
    return session;
  }

  async #openFurtherSession(
    oid: string,
    caller: SessionCaller,
    client: SessionClient,
    options: CallOptions,
  ): Promise<Session> {
    const further = await this.#arrive(caller.database, oid, options.signal);
    try {
      return await further.engine.sessions.open(caller, client, options);
    } finally {
      further.arriving -= 1;
    }
  }

  /** The engine of another database, which is kept until the session is there. */
  async #arrive(name: string, oid: string, signal: AbortSignal | undefined): Promise<OpenDatabase> {
    for (;;) {
      const further = this.#further.get(name);
      switch (further?.state) {
        case undefined:
          await this.#beginToOpen(name, oid).join(signal);
          break;
        case "opening":
          await (further.attempt.isAbandoned
            ? untilAborted(further.attempt.settled(), signal)
            : further.attempt.join(signal));
          break;
        case "closing":
          await untilAborted(further.ended, signal);
          break;
        case "open":
          if (further.oid === oid) {
            further.arriving += 1;
            return further;
          }
          await untilAborted(this.#end(name, "the database was created again"), signal);
      }
    }
  }

  /** @throws NOT_OPEN */
  #beginToOpen(name: string, oid: string): SharedAttempt {
    if (this.#isClosed) {
      throw notOpenError();
    }
    const engine = this.#newEngine(
      "further",
      furtherDatabase(this.#database, name, () => this.#watch.lookNow()),
    );
    const attempt = new SharedAttempt((signal) => this.#openFurther(engine, oid, signal));
    this.#further.set(name, { state: "opening", engine, attempt });
    this.#watch.open();
    return attempt;
  }

  async #openFurther(engine: Engine, oid: string, signal: AbortSignal): Promise<void> {
    const name = engine.database;
    try {
      await engine.open(signal);
    } catch (error) {
      await engine.close();
      if (this.#isOpening(engine)) {
        this.#forget(name);
      }
      throw error;
    }
    if (!this.#isOpening(engine)) {
      throw notOpenError();
    }
    const unusedSince = undefined;
    this.#further.set(name, { state: "open", engine, oid, arriving: 0, unusedSince });
    this.#options.settings.logger.info({ database: name }, "another database is served");
  }

  #isOpening(engine: Engine): boolean {
    const further = this.#further.get(engine.database);
    return further?.state === "opening" && further.engine === engine;
  }

  /** Resolves when nothing of the database is left. Never rejects. */
  #end(name: string, reason: string | undefined): Promise<void> {
    const further = this.#further.get(name);
    if (further === undefined) {
      return Promise.resolve();
    }
    if (further.state === "closing") {
      return further.ended;
    }
    const { engine } = further;
    const ended = engine.close().then(() => this.#forget(name));
    this.#further.set(name, { state: "closing", ended });
    if (reason !== undefined) {
      this.#options.settings.logger.info({ database: name, reason }, "a database is given up");
    }
    return ended;
  }

  #forget(name: string): void {
    this.#further.delete(name);
    if (this.#further.size === 0) {
      this.#catalogPlace.release();
    }
  }

  /** Gives up a database that no session uses: idle connections are all that is in somebody's way. */
  #endIdle(name: string): void {
    const further = this.#further.get(name);
    if (further?.state === "open" && !isUsed(further)) {
      void this.#end(name, "somebody else needs the database without connections");
    }
  }

  #endUnused(): void {
    const { unusedDatabaseMs, clock } = this.#options.settings;
    const now = clock.monotonic();
    for (const further of this.#open()) {
      further.unusedSince = isUsed(further) ? undefined : (further.unusedSince ?? now);
      const isOver =
        further.unusedSince !== undefined && now - further.unusedSince >= unusedDatabaseMs;
      if (isOver && unusedDatabaseMs > 0) {
        void this.#end(further.engine.database, "no session has used it");
      }
    }
  }

  #newRules(): DatabaseRules {
    return new DatabaseRules([...this.#options.settings.databases, this.#database.database]);
  }

  #open(): OpenDatabase[] {
    return [...this.#further.values()].flatMap((one) => (one.state === "open" ? one : []));
  }

  #newEngine(kind: EngineKind, database: DatabaseHandle): Engine {
    const { gate, settings, reservationIds, controls, ledger } = this.#options;
    const engine = new Engine({
      kind,
      database,
      gate,
      budget: this.#budget,
      settings,
      reservationIds,
      totals: ledger.open(database.database),
      catalogPlace: this.#catalogPlace,
      virtualPids: this.#virtualPids,
    });
    if (this.#target !== undefined) {
      engine.prepare(this.#target);
    }
    if (controls.isPaused(database.database)) {
      engine.pause();
    }
    return engine;
  }
}
