import { onAbort } from "@multipooler/timing";
import type { Clock } from "@multipooler/timing";
import type { CallOptions } from "@multipooler/query-service";
import { ManagerError, ManagerErrorCode } from "../manager-error.ts";

/** Who has the action lock, for errors and status. */
export interface ActionHolder {
  /** The verb, e.g. "Promote". */
  readonly action: string;
  readonly since: Date;
}

/**
 * The right to change the server. What mutates asks for one, so that nothing can be changed by somebody
 * who does not hold the lock.
 */
export class ActionLease implements Disposable {
  readonly holder: ActionHolder;
  readonly #release: () => void;
  #isHeld = true;

  /** Made by {@link ActionLock} alone. */
  constructor(holder: ActionHolder, release: () => void) {
    this.holder = holder;
    this.#release = release;
  }

  /** Throws INTERNAL once it was given back. */
  requireHeld(): void {
    if (!this.#isHeld) {
      const message = `the action lock of ${this.holder.action} was given back already`;
      throw new ManagerError(ManagerErrorCode.Internal, message);
    }
  }

  /** Idempotent. */
  [Symbol.dispose](): void {
    if (this.#isHeld) {
      this.#isHeld = false;
      this.#release();
    }
  }
}

interface Waiter {
  readonly action: string;
  readonly proceed: (lease: ActionLease) => void;
}

/** Lets one action at a time change the server, in the order of their coming. Not re-entrant. */
export class ActionLock {
  readonly #clock: Clock;
  readonly #waiting: Waiter[] = [];
  #holder: ActionHolder | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get holder(): ActionHolder | undefined {
    return this.#holder;
  }

  /** Waits for the lock. Rejects with LOCK_NOT_ACQUIRED, which names the holder, when the signal aborts. */
  async acquire(action: string, { signal }: CallOptions = {}): Promise<ActionLease> {
    if (signal?.aborted === true) {
      throw this.#refusal(action);
    }
    if (this.#holder === undefined) {
      return this.#lease(action);
    }
    const { promise, resolve, reject } = Promise.withResolvers<ActionLease>();
    const waiter: Waiter = { action, proceed: resolve };
    this.#waiting.push(waiter);
    const stopListening = onAbort(signal, () => {
      const index = this.#waiting.indexOf(waiter);
      if (index !== -1) {
        this.#waiting.splice(index, 1);
        reject(this.#refusal(action));
      }
    });
    try {
      return await promise;
    } finally {
      stopListening();
    }
  }

  #lease(action: string): ActionLease {
    this.#holder = { action, since: new Date(this.#clock.now()) };
    return new ActionLease(this.#holder, () => this.#pass());
  }

  #pass(): void {
    this.#holder = undefined;
    const next = this.#waiting.shift();
    next?.proceed(this.#lease(next.action));
  }

  #refusal(action: string): ManagerError {
    const held = this.#holder;
    const by =
      held === undefined ? "" : `: ${held.action} has it since ${held.since.toISOString()}`;
    const message = `failed to acquire action lock for ${action}${by}`;
    return new ManagerError(ManagerErrorCode.LockNotAcquired, message);
  }
}
