import type { PoolerController } from "@multipooler/controller-api";
import type { CallOptions } from "@multipooler/query-service";
import { messageOf } from "./error-message.ts";
import { ManagerError, ManagerErrorCode } from "./manager-error.ts";
import type { CloseOptions, ManagerOptions, OpenOptions } from "./manager-options.ts";
import { ManagerRun } from "./manager-run.ts";
import { resolveManagerOptions } from "./manager-settings.ts";
import type { ManagerSettings } from "./manager-settings.ts";
import type { ManagerStatus } from "./manager-status.ts";
import { ManagerService } from "./transport/service-transport.ts";
import type { PoolerService } from "./transport/service-transport.ts";
import { assembleVerbs } from "./manager-verbs.ts";
import type { ManagerVerbs } from "./manager-verbs.ts";
import type { RoleVerbs } from "./promotion/role-verbs.ts";
import type { ReplicationVerbs } from "./replication/replication-verbs.ts";
import { untilIntentReached } from "./serving/intent-wait.ts";
import type { IntentStatus, OperatorIntent } from "./serving/operator-intent.ts";
import type { UnreadySince } from "./status-snapshot.ts";
import { takeSnapshot } from "./status-snapshot.ts";
import type { ConsensusVerbs } from "./terms/consensus-verbs.ts";

/**
 * The one entry point of a pooler. It owns the controller and the way to the database, keeps the
 * pooler's record in the topology, and opens and closes the transports:
 *
 * ```
 *   closed ──open──▶ listening, starting ──▶ serving ◀──▶ not serving ──close──▶ closed
 *                                     └──▶ error ─────────────────────close──────┘
 * ```
 *
 * `open` ends when clients can connect; what is left of the start goes on in the background, and
 * {@link status} tells how far it is. A database that is away is retried without an end.
 */
export class MultiPoolerManager implements AsyncDisposable {
  readonly #settings: ManagerSettings;
  readonly #startedAt: Date;
  readonly #listeners = new Set<(status: ManagerStatus) => void>();
  readonly #verbs: ManagerVerbs;
  #services: ReadonlySet<PoolerService> | undefined;
  #run: ManagerRun | undefined;
  #unready: UnreadySince | undefined;

  /** Checks the options and does no I/O. Throws INVALID_CONFIG, naming the setting. */
  constructor(options: ManagerOptions) {
    this.#settings = resolveManagerOptions(options);
    this.#startedAt = new Date(this.#settings.clock.now());
    this.#verbs = assembleVerbs({
      settings: this.#settings,
      source: this,
      requireRun: () => this.#requireRun(),
      onChange: () => this.#rolesChanged(),
    });
  }

  /**
   * Opens the transports, and goes on in the background: registers the pooler, connects to the
   * database and serves. Resolves when every transport listens. A failed open leaves nothing behind
   * and can be repeated.
   *
   * Rejects with LISTEN_FAILED, RECORD_FILE_INVALID, ALREADY_OPEN, or CANCELLED when the signal
   * aborts or `close` is called before it is done. What fails later shows in the status.
   */
  async open(options: OpenOptions): Promise<void> {
    if (this.#run !== undefined) {
      throw new ManagerError(
        ManagerErrorCode.AlreadyOpen,
        "the manager is open, or not yet closed",
      );
    }
    const run = new ManagerRun({
      settings: this.#settings,
      services: this.#collectServices(),
      ...this.#verbs,
      onChange: () => this.#notify(),
    });
    this.#run = run;
    try {
      await run.open(options);
    } catch (error) {
      await this.#closeRun(run).catch((reason: unknown) => {
        this.#settings.logger.error({ err: reason }, messageOf(reason));
      });
      throw error;
    }
  }

  /** Term or journal have changed, and with them what the pooler may claim. */
  #rolesChanged(): void {
    this.#run?.parts?.registration.reconsider();
    this.#run?.decide();
  }

  /** What coordinators agree on terms with; the same object in every state, as the next two. */
  get consensus(): ConsensusVerbs {
    return this.#verbs.consensus;
  }

  /** What changes the role of the pooler and its server. */
  get roles(): RoleVerbs {
    return this.#verbs.roles;
  }

  /** What orchestrators and operators do to replication. */
  get replication(): ReplicationVerbs {
    return this.#verbs.replication;
  }

  /** The controller, in every state. Ask again at each call of a client, and keep nothing of it. */
  queryServiceControl(): PoolerController {
    return this.#settings.controller;
  }

  /** What the pooler is doing now. Reads memory only; never blocks. */
  status(): ManagerStatus {
    const status = takeSnapshot({
      settings: this.#settings,
      run: this.#run,
      term: this.#verbs.terms.current,
      demotion: this.#verbs.journal.demotion,
      runningAction: this.#verbs.lock.holder,
      startedAt: this.#startedAt,
      unready: this.#unready,
    });
    const { notReadyCode: code, notReadySince: at } = status;
    this.#unready = code === undefined || at === undefined ? undefined : { code, at };
    return status;
  }

  /**
   * Calls `listener` with the status after each change, until the function that it returns is
   * called. Lag and time of the heartbeat, the use of the budget and the running action change without a
   * call.
   */
  watchStatus(listener: (status: ManagerStatus) => void): () => void {
    // A function of its own, so that a listener that watches twice is two.
    const own = (status: ManagerStatus): void => listener(status);
    this.#listeners.add(own);
    return () => {
      this.#listeners.delete(own);
    };
  }

  /**
   * Takes an operator's wish for what the pooler serves. It holds until the next one, over restarts too
   * where the pooler has a directory, and never makes it serve more than type and database allow.
   * Nothing that it forbids is admitted by the time that this returns its promise, which resolves when
   * the wish is on disk or cannot be, with `wait` when the pooler is there, drain included.
   *
   * Rejects with NOT_OPEN, INVALID_ARGUMENT, and, while it waits, with SUPERSEDED, the error of a start
   * that failed, or the signal's reason; the wish holds all the same then.
   */
  async setServingStatus(
    intent: OperatorIntent,
    { wait = false, signal }: CallOptions & { readonly wait?: boolean | undefined } = {},
  ): Promise<IntentStatus> {
    const held = await this.#requireRun().setIntent(intent);
    if (wait) {
      await untilIntentReached(this, held, signal);
    }
    return held;
  }

  /**
   * Ends everything in the reverse order of `open`, which works again afterwards: not ready at
   * once, served on for `lameduckMs` while clients go elsewhere, running work drained for at most
   * `closeTimeoutMs`, the last record written. The signal ends both times. Idempotent; calls share the
   * first attempt.
   *
   * Rejects with CLOSE_FAILED when something could not be closed; the rest is closed then.
   */
  async close(options: CloseOptions = {}): Promise<void> {
    if (this.#run !== undefined) {
      await this.#closeRun(this.#run, options);
    }
  }

  /** `close` without a signal. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #requireRun(): ManagerRun {
    if (this.#run === undefined) {
      throw new ManagerError(ManagerErrorCode.NotOpen, "the manager is not open");
    }
    return this.#run;
  }

  async #closeRun(run: ManagerRun, options: CloseOptions = {}): Promise<void> {
    try {
      await run.close(options);
    } finally {
      if (this.#run === run) {
        this.#run = undefined;
        this.#notify();
      }
    }
  }

  /** The controller announces its services once in its life, before the manager adds its own. */
  #collectServices(): ReadonlySet<PoolerService> {
    if (this.#services !== undefined) {
      return this.#services;
    }
    const services = new Set<PoolerService>();
    this.#settings.controller.register({ offer: (service) => services.add(service) });
    services.add(ManagerService.Manager);
    services.add(ManagerService.Consensus);
    this.#services = services;
    return services;
  }

  #notify(): void {
    // Also where nobody listens: it tells since when the pooler is not ready.
    const status = this.status();
    for (const listener of this.#listeners) {
      try {
        listener(status);
      } catch (error) {
        this.#settings.logger.error({ err: error }, "a listener of the status failed");
      }
    }
  }
}
