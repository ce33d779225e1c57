import type { CallOptions } from "@multipooler/controller-api";
import { Database } from "./database/database.ts";
import type { DatabaseFacts } from "./database/database.ts";
import { isPermanent } from "./database/database-fault.ts";
import { DatabaseMonitor } from "./database/database-monitor.ts";
import type { DatabaseHealth } from "./database/database-monitor.ts";
import { Heartbeat } from "./heartbeat/heartbeat.ts";
import { ManagerError, ManagerErrorCode } from "./manager-error.ts";
import type { OpenOptions } from "./manager-options.ts";
import { applicationName, poolerId } from "./manager-settings.ts";
import type { ManagerSettings } from "./manager-settings.ts";
import type { ManagerState } from "./manager-status.ts";
import type { PoolerType } from "./record/pooler-type.ts";
import { PoolerSteps } from "./pooler-steps.ts";
import { Registration } from "./record/registration.ts";
import { closeRun } from "./run-closing.ts";
import type { PoolerService, ServiceTransport } from "./transport/service-transport.ts";
import { ServingReconciler } from "./serving/serving-reconciler.ts";
import type { ReconcilerProgress } from "./serving/serving-reconciler.ts";
import { deriveTarget, notServing } from "./serving/serving-target.ts";
import { listenAll } from "./transport/transports.ts";
import { TypeMemory } from "./record/type-memory.ts";

/** What a {@link ManagerRun} is made of. */
export interface ManagerRunOptions {
  readonly settings: ManagerSettings;
  readonly services: Iterable<PoolerService>;
  /** Called, synchronously, after each change that a status would show. */
  readonly onChange: () => void;
}

/** What exists once the transports listen. */
interface Serving {
  readonly registration: Registration;
  readonly reconciler: ServingReconciler;
}

/**
 * A manager from one `open` to its `close`. Everything that lives for so long is made here and
 * nothing of it outlives the close, so that the next run starts from nothing.
 */
export class ManagerRun {
  readonly #settings: ManagerSettings;
  readonly #services: Iterable<PoolerService>;
  readonly #onChange: () => void;
  readonly #stop = new AbortController();
  readonly #memory: TypeMemory;
  readonly #heartbeat: Heartbeat;
  readonly #monitor: DatabaseMonitor;
  readonly database: Database;
  #transports: readonly ServiceTransport[] = [];
  #serving: Serving | undefined;
  #facts: DatabaseFacts | undefined;
  #state: ManagerState = { name: "starting" };
  /** Whether what is known of database and topology already decides where the controller is to be. */
  #deciding = false;
  #opening: Promise<void> | undefined;
  #starting: Promise<void> | undefined;
  #closing: Promise<void> | undefined;

  constructor({ settings, services, onChange }: ManagerRunOptions) {
    const { clock, random, logger, pooler, heartbeatIntervalMs } = settings;
    this.#settings = settings;
    this.#services = services;
    this.#onChange = onChange;
    this.#memory = new TypeMemory({
      poolerDir: pooler.poolerDir,
      poolerId: poolerId(pooler.identity),
      logger,
    });
    this.database = new Database({
      config: settings.database,
      clock,
      onConnectionLost: () => this.#monitor.checkNow(),
    });
    this.#heartbeat = new Heartbeat({
      database: this.database,
      leaderId: applicationName(pooler.identity),
      intervalMs: heartbeatIntervalMs,
      clock,
      logger,
    });
    this.#monitor = new DatabaseMonitor({
      database: this.database,
      clock,
      random,
      logger,
      intervalMs: settings.healthIntervalMs,
      reconnectTimeoutMs: this.database.reconnectTimeoutMs,
      onChange: (health) => this.#observe(health),
    });
  }

  get state(): ManagerState {
    return this.#state;
  }

  get stopping(): boolean {
    return this.#closing !== undefined;
  }

  get health(): DatabaseHealth {
    return this.#monitor.health();
  }

  /** What the database last said of itself, also when it is away now. */
  get facts(): DatabaseFacts | undefined {
    return this.#facts;
  }

  get heartbeat(): Heartbeat {
    return this.#heartbeat;
  }

  get registration(): Registration | undefined {
    return this.#serving?.registration;
  }

  get progress(): ReconcilerProgress | undefined {
    return this.#serving?.reconciler.progress();
  }

  /**
   * Opens the transports and goes on in the background. Rejects, without closing anything, with
   * RECORD_FILE_INVALID, LISTEN_FAILED, or CANCELLED by the signal or by `close`.
   */
  open(options: OpenOptions): Promise<void> {
    this.#opening = this.#open(options);
    return this.#opening;
  }

  /**
   * Closes whatever is open, in the reverse order; the signal ends every grace at once. Rejects
   * with CLOSE_FAILED when something is left. Idempotent: the first call decides.
   */
  close(options: CallOptions = {}): Promise<void> {
    this.#closing ??= this.#close(options);
    return this.#closing;
  }

  async #open({ transports, signal }: OpenOptions): Promise<void> {
    const stop = this.#stop.signal;
    const either = signal === undefined ? stop : AbortSignal.any([stop, signal]);
    try {
      const rememberedType = await this.#memory.load();
      either.throwIfAborted();
      this.#transports = transports;
      await listenAll(transports, this.#services, { signal: either });
      either.throwIfAborted();
      // Only now are the ports known, and only a pooler that listens is worth a record.
      this.#serving = this.#assemble(rememberedType);
    } catch (error) {
      if (!either.aborted) {
        throw error;
      }
      throw new ManagerError(ManagerErrorCode.Cancelled, "the start was cancelled", {
        cause: error,
      });
    }
    this.#starting = this.#start(this.#serving);
  }

  #assemble(rememberedType: PoolerType | undefined): Serving {
    const { controller, topology, topologyName, pooler, clock, random, logger } = this.#settings;
    const registration = new Registration({
      topology,
      topologyName,
      pooler,
      memory: this.#memory,
      rememberedType,
      clock,
      random,
      logger,
      onChange: () => this.#decide(),
    });
    const steps = new PoolerSteps({
      controller,
      database: this.database,
      heartbeat: this.#heartbeat,
      registration,
    });
    const reconciler = new ServingReconciler({
      steps,
      clock,
      random,
      logger,
      onChange: () => this.#progressed(),
      onFailure: () => this.#monitor.checkNow(),
    });
    return { registration, reconciler };
  }

  async #start({ registration, reconciler }: Serving): Promise<void> {
    try {
      await registration.open({ signal: this.#stop.signal });
    } catch (error) {
      if (!this.#stop.signal.aborted) {
        this.#fail(asManagerError(error));
      }
      return;
    }
    if (this.stopping) {
      return;
    }
    this.#deciding = true;
    this.#decide();
    reconciler.open();
    this.#monitor.open();
  }

  #observe(health: DatabaseHealth): void {
    if (health.state === "up") {
      this.#facts = health.facts;
    }
    if (this.stopping) {
      return;
    }
    if (this.#state.name === "starting" && health.state === "down" && isPermanent(health.error)) {
      this.#fail(health.error);
      return;
    }
    this.#decide();
  }

  /** Derives the target from what is known now. */
  #decide(): void {
    if (this.#serving !== undefined && !this.stopping) {
      const { registration, reconciler } = this.#serving;
      const refusal = registration.refusal();
      if (refusal !== undefined) {
        reconciler.want(notServing(refusal));
      } else if (this.#deciding) {
        reconciler.want(deriveTarget({ database: this.health, type: registration.type() }));
      }
    }
    this.#progressed();
  }

  #progressed(): void {
    const started = this.health.state === "up" && this.progress?.reached === true;
    if (started && this.#state.name === "starting" && !this.stopping) {
      this.#change({ name: "ready" });
      this.registration?.announceActive("PostgreSQL answers");
    }
    this.#onChange();
  }

  #fail(error: ManagerError): void {
    this.#deciding = false;
    this.#change({ name: "error", error });
    this.#serving?.reconciler.want(notServing(error.message));
    // Not awaited: this may run inside a turn of the monitor. `close` waits for it.
    void this.#monitor.close();
    this.#onChange();
  }

  #change(state: ManagerState): void {
    const { logger } = this.#settings;
    const fields = { from: this.#state.name, to: state.name };
    if (state.name === "error") {
      logger.error({ ...fields, err: state.error }, state.error.message);
    } else {
      logger.info(fields, "the manager is ready");
    }
    this.#state = state;
  }

  async #close({ signal }: CallOptions): Promise<void> {
    this.#stop.abort();
    this.#deciding = false;
    this.#onChange();
    await this.#opening?.catch(() => undefined);
    await this.#starting;
    await closeRun(
      {
        settings: this.#settings,
        registration: this.registration,
        reconciler: this.#serving?.reconciler,
        transports: this.#transports,
        heartbeat: this.#heartbeat,
        monitor: this.#monitor,
        database: this.database,
      },
      { signal },
    );
  }
}

function asManagerError(error: unknown): ManagerError {
  return error instanceof ManagerError
    ? error
    : new ManagerError(ManagerErrorCode.Internal, "the start failed", { cause: error });
}
