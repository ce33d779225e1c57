import type { ServingTarget } from "@multipooler/controller-api";
import { DatabaseMonitor } from "./database/database-monitor.ts";
import type { DatabaseHealth } from "./database/database-monitor.ts";
import type { DatabaseFacts, ManagedDatabase } from "./database/managed-database.ts";
import { shuttingDown } from "./actions/guardrails.ts";
import { ManagerError, ManagerErrorCode, asManagerError, isPermanent } from "./manager-error.ts";
import type { CloseOptions, OpenOptions } from "./manager-options.ts";
import { poolerId } from "./manager-settings.ts";
import type { ManagerSettings } from "./manager-settings.ts";
import type { ManagerState } from "./manager-status.ts";
import { applicationName } from "./record/application-name.ts";
import type { PoolerType } from "./record/pooler-type.ts";
import type { ActionJournal } from "./promotion/action-journal.ts";
import { TypeMemory } from "./record/type-memory.ts";
import { Lameduck } from "./lameduck.ts";
import { CLOSING_REASON, closeRun } from "./run-closing.ts";
import { assembleParts } from "./run-parts.ts";
import type { RunParts } from "./run-parts.ts";
import { runningParts, stateOf } from "./run-phase.ts";
import type { Phase } from "./run-phase.ts";
import { IntentMemory, admitsNothing } from "./serving/operator-intent.ts";
import type { IntentStatus, OperatorIntent } from "./serving/operator-intent.ts";
import { runTarget } from "./run-target.ts";
import { admits, notServing } from "./serving/serving-target.ts";
import type { Terms } from "./terms/terms.ts";
import type { PoolerService, ServiceTransport } from "./transport/service-transport.ts";
import { listenAll } from "./transport/transports.ts";

/** Who watches the status learns within a second what became of PostgreSQL. */
const MAX_WATCH_MS = 400;

export interface ManagerRunOptions {
  readonly settings: ManagerSettings;
  readonly services: Iterable<PoolerService>;
  readonly terms: Terms;
  readonly journal: ActionJournal;
  /** Called, synchronously, after each change that a status would show. */
  readonly onChange: () => void;
}

/**
 * A manager from one `open` to its `close`. Everything that lives for so long is made here and
 * nothing of it outlives the close, so that the next run starts from nothing.
 */
export class ManagerRun {
  readonly #settings: ManagerSettings;
  readonly #services: Iterable<PoolerService>;
  readonly #terms: Terms;
  readonly #journal: ActionJournal;
  readonly #onChange: () => void;
  readonly #stop = new AbortController();
  readonly #memory: TypeMemory;
  readonly #intent: IntentMemory;
  readonly #monitor: DatabaseMonitor;
  readonly database: ManagedDatabase;
  #transports: readonly ServiceTransport[] = [];
  #facts: DatabaseFacts | undefined;
  #phase: Phase = { name: "opening" };
  #opening: Promise<void> | undefined;
  #starting: Promise<void> | undefined;
  #closing: Promise<void> | undefined;
  /** From the call of `close` on. */
  #isStopping = false;
  /** Set while the run serves on although it is to close. */
  #lameduck: Lameduck | undefined;

  constructor({ settings, services, terms, journal, onChange }: ManagerRunOptions) {
    const { clock, random, logger, pooler, database, heartbeatIntervalMs } = settings;
    this.#settings = settings;
    this.#services = services;
    this.#terms = terms;
    this.#journal = journal;
    this.#onChange = onChange;
    const own = { poolerDir: pooler.poolerDir, poolerId: poolerId(pooler.identity), logger };
    this.#memory = new TypeMemory(own);
    this.#intent = new IntentMemory(own);
    this.database = database.open({
      poolerName: applicationName(pooler.identity),
      heartbeatIntervalMs,
      clock,
      logger,
      suspect: () => this.#monitor.checkNow(),
      onMoved: (fault) => this.#move(fault),
      onChange,
    });
    this.#monitor = new DatabaseMonitor({
      database: this.database,
      clock,
      random,
      logger,
      intervalMs: Math.min(settings.healthIntervalMs, MAX_WATCH_MS),
      reconnectTimeoutMs: database.connectTimeoutMs,
      onChange: (health) => this.#observe(health),
    });
  }

  get state(): ManagerState {
    return stateOf(this.#phase);
  }

  get stopping(): boolean {
    return this.#isStopping;
  }

  get health(): DatabaseHealth {
    return this.#monitor.health();
  }

  /** What the database last said of itself, also when it is away now. */
  get facts(): DatabaseFacts | undefined {
    return this.#facts;
  }

  /** Which change of role is not complete, one line for people. */
  get pendingAction(): string | undefined {
    return this.#journal.pending;
  }

  /** Has the database looked at now. */
  checkDatabase(): void {
    this.#monitor.checkNow();
  }

  /** See {@link DatabaseMonitor.expectOutage}. */
  expectOutage(): Disposable {
    return this.#monitor.expectOutage();
  }

  /** What an operator wishes. */
  get intent(): IntentStatus {
    return this.#intent.current;
  }

  /** `undefined` until the transports listen. */
  get parts(): RunParts | undefined {
    return this.#phase.name === "opening" ? undefined : this.#phase.parts;
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
  close(options: CloseOptions = {}): Promise<void> {
    this.#closing ??= this.#close(options);
    return this.#closing;
  }

  /**
   * What verbs act on. Throws NOT_OPEN while the record is not registered yet and while the run closes, and
   * the error of a start that failed.
   */
  requireRunning(): RunParts {
    if (this.stopping) {
      throw shuttingDown();
    }
    return runningParts(this.#phase);
  }

  /**
   * Takes an operator's wish. It has its effect before this returns; resolves when it is remembered,
   * or cannot be. Rejects with INVALID_ARGUMENT, and NOT_OPEN while the run closes.
   */
  async setIntent(intent: OperatorIntent): Promise<IntentStatus> {
    if (this.stopping) {
      throw shuttingDown();
    }
    const { clock, logger } = this.#settings;
    const remembered = this.#intent.set(intent, new Date(clock.now()));
    logger.info({ ...intent }, "an operator asks for a serving status");
    this.decide();
    const held = await remembered;
    this.#onChange();
    return held;
  }

  async #open({ transports, signal }: OpenOptions): Promise<void> {
    const stop = this.#stop.signal;
    const either = signal === undefined ? stop : AbortSignal.any([stop, signal]);
    let rememberedType: PoolerType | undefined;
    try {
      rememberedType = await this.#memory.load();
      await this.#intent.load();
      await this.#terms.load();
      await this.#journal.load();
      either.throwIfAborted();
      this.#transports = transports;
      await listenAll(transports, this.#services, { signal: either });
      either.throwIfAborted();
    } catch (error) {
      if (!either.aborted) {
        throw error;
      }
      throw new ManagerError(ManagerErrorCode.Cancelled, "the start was cancelled", {
        cause: error,
      });
    }
    // Only now are the ports known, and only a pooler that listens is worth a record.
    const parts = assembleParts({
      settings: this.#settings,
      database: this.database,
      memory: this.#memory,
      rememberedType,
      health: () => this.health,
      terms: this.#terms,
      journal: this.#journal,
      onFacts: () => this.decide(),
      onProgress: () => this.#progressed(),
      onFault: () => this.#monitor.checkNow(),
      onChange: this.#onChange,
    });
    this.#change({ name: "registering", parts });
    this.#starting = this.#start(parts);
  }

  async #start(parts: RunParts): Promise<void> {
    try {
      await parts.registration.open({ signal: this.#stop.signal });
    } catch (error) {
      if (!this.#stop.signal.aborted) {
        this.#fail(parts, asManagerError(error, "the start failed"));
      }
      return;
    }
    if (this.stopping) {
      return;
    }
    this.#change({ name: "running", parts, wasReady: false });
    this.decide();
    parts.reconciler.open();
    this.#monitor.open();
  }

  #observe(health: DatabaseHealth): void {
    if (health.state === "up") {
      this.#facts = health.facts;
    }
    const phase = this.#phase;
    const isDeaf = this.#isStopping && this.#lameduck === undefined;
    if (isDeaf || phase.name !== "running") {
      return;
    }
    phase.parts.registration.reconsider();
    // An operator may have drained it in order to do away with the database.
    const isHeldBack = admitsNothing(this.#intent.current);
    if (!phase.wasReady && !isHeldBack && health.state === "down" && isPermanent(health.error)) {
      this.#fail(phase.parts, health.error);
      return;
    }
    this.decide();
  }

  #move(fault: ManagerError): void {
    this.#monitor.distrust(fault);
    // The record names the port of PostgreSQL.
    this.parts?.registration.portsChanged();
  }

  /** Derives the target from what is known now, and wants it. */
  decide(): void {
    const phase = this.#phase;
    if (phase.name === "running") {
      const target = this.#derive(phase.parts);
      if (!this.stopping) {
        phase.parts.reconciler.want(target);
      }
      this.#lameduck?.heed(target);
    }
    this.#progressed();
  }

  #derive({ registration }: RunParts): ServingTarget {
    return runTarget({
      registration,
      database: this.health,
      intent: this.#intent.current,
      term: this.#terms.facts,
      pendingAction: this.#journal.pending,
    });
  }

  #progressed(): void {
    const phase = this.#phase;
    if (phase.name === "running" && !phase.wasReady && !this.stopping) {
      const { registration, reconciler } = phase.parts;
      if (this.health.state === "up" && reconciler.progress().reached) {
        this.#change({ ...phase, wasReady: true });
        registration.announceActive("PostgreSQL answers");
      }
    }
    this.#onChange();
  }

  #fail(parts: RunParts, error: ManagerError): void {
    this.#change({ name: "failed", parts, error });
    parts.reconciler.want(notServing(error.message));
    // Not awaited: this may run inside a turn of the monitor. `close` waits for it.
    void this.#monitor.close();
    this.#onChange();
  }

  #change(phase: Phase): void {
    const { logger } = this.#settings;
    const from = this.#phase.name;
    this.#phase = phase;
    if (phase.name === "failed") {
      logger.error({ from, to: phase.name, err: phase.error }, phase.error.message);
    } else if (phase.name === "running" && phase.wasReady) {
      logger.info({}, "the manager is ready");
    }
  }

  async #close({ signal, lameduckMs = 0 }: CloseOptions): Promise<void> {
    this.#isStopping = true;
    this.#stop.abort();
    await this.#serveOn(lameduckMs, signal);
    this.#onChange();
    await this.#opening?.catch(() => undefined);
    await this.#starting;
    await closeRun(
      {
        settings: this.#settings,
        parts: this.parts,
        transports: this.#transports,
        monitor: this.#monitor,
        database: this.database,
      },
      { signal },
    );
  }

  /** Serves on for a while where the pooler is ready, and then asks its clients to leave. */
  async #serveOn(lameduckMs: number, signal: AbortSignal | undefined): Promise<void> {
    const phase = this.#phase;
    if (lameduckMs === 0 || phase.name !== "running" || !phase.wasReady) {
      return;
    }
    const { registration, reconciler } = phase.parts;
    const { wanted, reached } = reconciler.progress();
    if (!reached || !admits(wanted.status)) {
      return;
    }
    const lameduck = new Lameduck({
      ...this.#settings,
      lameduckMs,
      target: wanted,
      transports: this.#transports,
    });
    this.#lameduck = lameduck;
    registration.announceStopping(CLOSING_REASON);
    registration.announce({ target: wanted, draining: true });
    this.#onChange();
    await lameduck.run(signal);
    this.#lameduck = undefined;
  }
}
