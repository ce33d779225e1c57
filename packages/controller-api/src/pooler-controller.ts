import type { CallOptions, QueryService } from "@multipooler/query-service";
import type { DatabaseHandle } from "./database-handle.ts";
import type { ServiceRegistrar } from "./registrar.ts";
import type { ServingState, ServingTarget } from "./serving-status.ts";

/**
 * Serves queries for a `MultiPoolerManager`, which owns it and drives it. A controller is built
 * without a database, receives one with {@link initDBConfig} and cannot be used on its own: the
 * manager decides when it opens, what it admits and when it closes. (The pattern is that of
 * Vitess' tablet controller.)
 *
 * ```
 *   built ──initDBConfig──▶ initialised ──open──▶ open ──close──▶ built
 * ```
 *
 * A new controller is NOT_SERVING; `close` makes it so again. Every member throws or rejects with
 * a `PoolerError` and nothing else.
 *
 * From one start to its end the manager calls, in this order: `register` (only once in the
 * controller's life), `setServingType` with NOT_SERVING, `initDBConfig` when the database has
 * answered, `open`, `setServingType` at each change of role, type, term or health, `close`. When
 * the database goes away it calls `setServingType` with a status that admits nothing, and when one
 * answers again `replaceDatabase` with another handle, or where that is missing `close` and
 * `initDBConfig`, then `open` and `setServingType`. It repeats
 * what rejects, `close` aside, with growing delays, and aborts what takes longer than 30 s or is no
 * longer wanted; while the status admits queries it asks `isHealthy` about once a
 * second. Transports ask for status and executor at any time, in every state.
 */
export interface PoolerController {
  /**
   * Continues construction once the manager has connected. Does no I/O.
   *
   * @throws INVALID_ARGUMENT for `null` or `undefined`, or when called again before `close`.
   */
  initDBConfig(db: DatabaseHandle | null): void;

  /**
   * Opens what is needed to serve from the database that was handed over. Idempotent: an open
   * controller resolves at once, concurrent calls share one attempt. A failed open leaves nothing
   * behind and can be retried. Does not change the serving status.
   *
   * Rejects with NOT_INITIALIZED before `initDBConfig`.
   */
  open(options?: CallOptions): Promise<void>;

  /**
   * Goes on with another handle of the same database and user: nothing of the former one is used any
   * more, and the controller is as after `initDBConfig`, except that sessions of clients stay. They are
   * refused until it serves again. Idempotent; does not open anything.
   *
   * Optional: a controller without it is closed instead, which ends its sessions.
   *
   * Rejects with NOT_INITIALIZED before `initDBConfig`, and with INVALID_ARGUMENT while the status
   * admits requests or is being left, or for another database or user.
   */
  replaceDatabase?(db: DatabaseHandle): Promise<void>;

  /**
   * Brings the controller to `target` and resolves when it is there, drain included.
   *
   * Serial: a second call waits for the first, a reversal aside. Resolves at once when `target` is reached already; a
   * target that differs in term or reason only is adopted without a drain. Leaving SERVING or
   * SERVING_RDONLY, or a standby that is none any more, drains under the old role; the role changes only after the drain. On failure or
   * abort it rejects, leaves a state that admits no more than before the call, and can be called
   * again.
   *
   * A drain is reversed by a call with the status and role that are being left, while no other call
   * waits: it serves as before when that call returns its promise, which resolves at once, what was
   * running or reserved goes on, and the call that drained rejects with CANCELLED. A drain that was
   * aborted is reversed by the same call; until then nothing is admitted.
   *
   * Rejects with NOT_OPEN for a serving target on a controller that is not open.
   */
  setServingType(target: ServingTarget, options?: CallOptions): Promise<void>;

  /** The current status and, while a transition runs, the wanted one. Never blocks. */
  servingStatus(): ServingState;

  /**
   * True in SERVING and SERVING_RDONLY; false from the moment a transition away from them
   * *starts*, and until a transition to them is *complete*.
   */
  isServing(): boolean;

  /**
   * Resolves if the controller can serve: initialised, open, and the database answered through
   * the path that queries take, within the signal's deadline (or 1 s without a signal). Otherwise
   * rejects with an error that says which of these failed: NOT_INITIALIZED, NOT_OPEN,
   * POOL_EXHAUSTED for a path that no query gets through in time, PRE_EXECUTION_UNAVAILABLE for a
   * database that cannot be reached, DEADLINE_EXCEEDED for one that does not answer, READ_ONLY for one
   * that refuses writes by its configuration in the status SERVING. The manager asks it periodically: the answer decides what readiness and
   * health report.
   */
  isHealthy(options?: CallOptions): Promise<void>;

  /**
   * The query service of an open controller. Admission by serving status happens inside its
   * calls. Ask again for each request: `close` invalidates what was handed out.
   *
   * @throws NOT_INITIALIZED or NOT_OPEN.
   */
  getExecutor(): QueryService;

  /** Announces the services it offers. The manager calls it once, before it opens transports. */
  register(registrar: ServiceRegistrar): void;

  /**
   * Ends everything: waiters are refused, running statements are cut, sockets and timers are gone
   * when it resolves. Idempotent, safe in every state; concurrent calls share one attempt.
   * Afterwards `initDBConfig` and `open` work again.
   */
  close(): Promise<void>;
}
