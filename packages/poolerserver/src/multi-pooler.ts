import { ControllerService } from "@multipooler/controller-api";
import type {
  DatabaseHandle,
  PoolerController,
  ServiceRegistrar,
  ServingState,
  ServingTarget,
} from "@multipooler/controller-api";
import { PoolerErrorCode } from "@multipooler/query-service";
import type { CallOptions, QueryService } from "@multipooler/query-service";
import { Deadline } from "@multipooler/timing";
import { untilAborted } from "./abort.ts";
import type { ChangeableLimits } from "./changeable-limits.ts";
import { Administration } from "./databases/administration.ts";
import { DatabaseControls } from "./databases/database-controls.ts";
import { DatabaseLedger } from "./databases/database-ledger.ts";
import { Databases } from "./databases/databases.ts";
import { MultiPoolerError, abortError } from "./error.ts";
import { ReservationIds } from "./reservations/reservation-ids.ts";
import { resolveOptions } from "./multi-pooler-options.ts";
import type { MultiPoolerOptions, ResolvedOptions } from "./multi-pooler-options.ts";
import { isServingStatus } from "./serving/admission.ts";
import { ServingGate } from "./serving/serving-gate.ts";
import { SharedAttempt } from "./shared-attempt.ts";

/** How long `isHealthy` waits without a signal. */
const HEALTH_TIMEOUT_MS = 1000;

/**
 * | state       | database | served  | `initDBConfig` | `open`           | `close`       |
 * | ----------- | -------- | ------- | -------------- | ---------------- | ------------- |
 * | built       |          |         | → initialised  | NOT_INITIALIZED  | → closing     |
 * | initialised | yes      |         | refused        | → opening        | → closing     |
 * | opening     | yes      | opening | refused        | joins            | → closing     |
 * | open        | yes      | open    | refused        | nothing to do    | → closing     |
 * | replaced    | yes      | open    | refused        | → opening        | → closing     |
 * | closing     |          | closing | refused        | NOT_INITIALIZED  | joins         |
 *
 * opening → open when a first connection stands, → initialised or replaced, as before, when that failed;
 * open → replaced when it has another handle; closing → built when nothing is left.
 */
type Lifecycle =
  | { readonly type: "built" }
  | { readonly type: "initialised"; readonly database: DatabaseHandle }
  | {
      readonly type: "opening";
      readonly databases: Databases;
      readonly attempt: SharedAttempt;
    }
  | { readonly type: "open"; readonly databases: Databases }
  | { readonly type: "replaced"; readonly databases: Databases }
  | {
      readonly type: "closing";
      readonly ended: Promise<void>;
      /** What is being closed. */
      readonly databases: Databases | undefined;
    };

/** What an opening that failed goes back to. */
type Unopened = Extract<Lifecycle, { type: "initialised" | "replaced" }>;

/** Serves queries from the databases of one PostgreSQL over pools of connections. */
export class MultiPooler implements PoolerController, AsyncDisposable {
  /** Everything reads it when it is used: limits change in place. */
  readonly #options: ResolvedOptions;
  readonly #gate: ServingGate;
  readonly #reservationIds: ReservationIds;
  readonly #controls = new DatabaseControls();
  readonly #ledger = new DatabaseLedger();
  /** What an operator sees of it, and can do with it. */
  readonly administration: Administration;
  #lifecycle: Lifecycle = { type: "built" };

  /** @throws INVALID_ARGUMENT for an option that makes no sense. */
  constructor(options: MultiPoolerOptions) {
    this.#options = resolveOptions(options);
    const resolved = this.#options;
    const { clock, onEvent, logger } = resolved;
    this.#reservationIds = new ReservationIds(clock);
    this.#gate = new ServingGate({
      get drainGraceMs() {
        return resolved.drainGraceMs;
      },
      clock,
      onEvent,
      logger,
      isOpen: () => this.#lifecycle.type === "open",
      prepare: (target) => this.#prepare(target),
    });
    this.administration = new Administration({
      limits: resolved,
      rules: () => resolved.databases,
      controls: this.#controls,
      ledger: this.#ledger,
      databases: () => this.#databases,
    });
  }

  /**
   * Gives other limits. Those who wait for a connection get it, or are refused, as if they had come
   * under the new ones; connections beyond them end when they come back.
   *
   * @throws INVALID_ARGUMENT for one that makes no sense; then none has changed
   */
  change(limits: Partial<ChangeableLimits>): void {
    Object.assign(this.#options, resolveOptions({ ...this.#options, ...limits }));
    this.#databases?.limitsChanged();
  }

  initDBConfig(db: DatabaseHandle | null): void {
    // JavaScript callers, and managers without a database yet, may hand over nothing.
    const database: DatabaseHandle | null | undefined = db;
    if (database === null || database === undefined) {
      throw new MultiPoolerError(PoolerErrorCode.InvalidArgument, "there is no database to use");
    }
    if (this.#lifecycle.type !== "built") {
      const message = "the controller has a database already, or is still closing";
      throw new MultiPoolerError(PoolerErrorCode.InvalidArgument, message);
    }
    this.#lifecycle = { type: "initialised", database };
  }

  /** Opens a first connection, so that what is wrong shows now. See {@link PoolerController}. */
  async open({ signal }: CallOptions = {}): Promise<void> {
    for (;;) {
      if (signal?.aborted === true) {
        throw abortError(signal);
      }
      const lifecycle = this.#lifecycle;
      switch (lifecycle.type) {
        case "built":
        case "closing":
          throw notInitializedError();
        case "initialised":
          await this.#beginToOpen(this.#newDatabases(lifecycle.database), lifecycle).join(signal);
          return;
        case "replaced":
          await this.#beginToOpen(lifecycle.databases, lifecycle).join(signal);
          return;
        case "opening":
          if (!lifecycle.attempt.isAbandoned) {
            await lifecycle.attempt.join(signal);
            return;
          }
          await untilAborted(lifecycle.attempt.settled(), signal);
          break;
        case "open":
          return;
      }
    }
  }

  async replaceDatabase(db: DatabaseHandle): Promise<void> {
    for (;;) {
      const lifecycle = this.#lifecycle;
      switch (lifecycle.type) {
        case "built":
        case "closing":
          throw notInitializedError();
        case "initialised":
          this.#lifecycle = { type: "initialised", database: db };
          return;
        case "opening":
          await lifecycle.attempt.settled();
          break;
        case "open":
        case "replaced":
          this.#requireNothingServed();
          lifecycle.databases.replaceDatabase(db);
          this.#lifecycle = { type: "replaced", databases: lifecycle.databases };
          return;
      }
    }
  }

  async setServingType(target: ServingTarget, { signal }: CallOptions = {}): Promise<void> {
    await this.#gate.setTarget(target, signal);
  }

  servingStatus(): ServingState {
    return this.#gate.state;
  }

  isServing(): boolean {
    return this.#gate.isServing;
  }

  async isHealthy({ signal }: CallOptions = {}): Promise<void> {
    const { databases } = this.#requireOpen();
    if (signal !== undefined) {
      await databases.checkHealth(signal);
      return;
    }
    using deadline = new Deadline({
      clock: this.#options.clock,
      ms: HEALTH_TIMEOUT_MS,
      what: "the probe",
    });
    await databases.checkHealth(deadline.signal);
  }

  /**
   * While it opens or closes on the way from one server to the next, its executor refuses as the
   * serving status does.
   */
  getExecutor(): QueryService {
    const databases = this.#databases ?? this.#requireOpen().databases;
    return databases.executor;
  }

  register(registrar: ServiceRegistrar): void {
    registrar.offer(ControllerService.Query);
    registrar.offer(ControllerService.Session);
    registrar.offer(ControllerService.Health);
  }

  async close(): Promise<void> {
    const lifecycle = this.#lifecycle;
    if (lifecycle.type === "closing") {
      return await lifecycle.ended;
    }
    const { promise: ended, resolve } = Promise.withResolvers<void>();
    const databases = this.#databases;
    this.#lifecycle = { type: "closing", ended, databases };
    await this.#gate.close();
    await databases?.close();
    this.#lifecycle = { type: "built" };
    resolve();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  get #databases(): Databases | undefined {
    const lifecycle = this.#lifecycle;
    return "databases" in lifecycle ? lifecycle.databases : undefined;
  }

  #newDatabases(database: DatabaseHandle): Databases {
    return new Databases({
      database,
      gate: this.#gate,
      settings: this.#options,
      reservationIds: this.#reservationIds,
      controls: this.#controls,
      ledger: this.#ledger,
    });
  }

  #beginToOpen(databases: Databases, before: Unopened): SharedAttempt {
    const attempt = new SharedAttempt((signal) => this.#open(databases, before, signal));
    this.#lifecycle = { type: "opening", databases, attempt };
    return attempt;
  }

  async #open(databases: Databases, before: Unopened, signal: AbortSignal): Promise<void> {
    try {
      await databases.open(signal);
    } catch (error) {
      if (before.type === "initialised") {
        await databases.close();
      }
      if (this.#isOpening(databases)) {
        this.#lifecycle = before;
      }
      throw error;
    }
    if (!this.#isOpening(databases)) {
      throw notOpenError("it was closed while it opened");
    }
    this.#lifecycle = { type: "open", databases };
  }

  #isOpening(databases: Databases): boolean {
    return this.#lifecycle.type === "opening" && this.#lifecycle.databases === databases;
  }

  #requireOpen(): Extract<Lifecycle, { type: "open" }> {
    const lifecycle = this.#lifecycle;
    switch (lifecycle.type) {
      case "open":
        return lifecycle;
      case "built":
        throw notInitializedError();
      case "initialised":
      case "opening":
      case "replaced":
      case "closing":
        throw notOpenError(`it is ${lifecycle.type}`);
    }
  }

  /** @throws INVALID_ARGUMENT */
  #requireNothingServed(): void {
    const { current, wanted } = this.#gate.state;
    if (wanted !== undefined || isServingStatus(current.status)) {
      const message = `the database cannot be replaced while the controller is ${current.status}`;
      throw new MultiPoolerError(PoolerErrorCode.InvalidArgument, message);
    }
  }

  /** The role and the sessions change together, when the drain of the old ones is over. */
  #prepare(target: ServingTarget): void {
    if (this.#lifecycle.type === "open") {
      this.#lifecycle.databases.prepare(target);
    }
  }
}

function notInitializedError(): MultiPoolerError {
  const message = "the controller has no database yet";
  return new MultiPoolerError(PoolerErrorCode.NotInitialized, message);
}

function notOpenError(why: string): MultiPoolerError {
  return new MultiPoolerError(PoolerErrorCode.NotOpen, `the controller is not open: ${why}`);
}
