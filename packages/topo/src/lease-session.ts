import { Deadline, sleep } from "@multipooler/timing";
import type { Clock } from "@multipooler/timing";
import { TopoError, TopoErrorCode } from "./error.ts";
import type { Abortable } from "./key-value.ts";
import type { Session } from "./session.ts";

/** The time to live of a session that asks for none. */
export const DEFAULT_TTL_MS = 30_000;

/** The leases of a server, as a session needs them. */
export interface Leases {
  /** Confirms that the holder lives; false where the lease exists no longer. */
  renew(id: bigint, signal: AbortSignal): Promise<boolean>;
  /** Ends the lease and deletes its keys; resolves where it exists no longer. */
  revoke(id: bigint, signal: AbortSignal): Promise<void>;
}

/** A time on both clocks: the wall's can be set back, the other stands still while the machine sleeps. */
export interface Moment {
  readonly wall: number;
  readonly monotonic: number;
}

/** Now. */
export function momentOf(clock: Clock): Moment {
  return { wall: clock.now(), monotonic: clock.monotonic() };
}

export interface LeaseSessionOptions {
  readonly leases: Leases;
  readonly id: bigint;
  /** The time to live that the server granted. */
  readonly ttlMs: number;
  /** When the lease was asked for: the server cannot have counted from an earlier time. */
  readonly grantedAt: Moment;
  readonly clock: Clock;
  /** Called once when the session has ended, for any reason. */
  readonly onEnd: (session: Session) => void;
}

/**
 * The session over a lease. It renews at a third of the time to live, more often after a failure,
 * and takes the session for lost as soon as that time has passed, on either clock, since it sent the
 * last renewal that was confirmed: never later than the server does.
 */
export class LeaseSession implements Session {
  readonly #options: LeaseSessionOptions;
  readonly #ended = new AbortController();
  #revoked: Promise<void> | undefined;
  #confirmedAt: Moment;

  constructor(options: LeaseSessionOptions) {
    this.#options = options;
    this.#confirmedAt = options.grantedAt;
    void this.#keepAlive();
  }

  get id(): bigint {
    return this.#options.id;
  }

  get signal(): AbortSignal {
    return this.#ended.signal;
  }

  orphan(): void {
    this.#end(this.#error(TopoErrorCode.Interrupted, "the session was orphaned"));
  }

  close({ signal }: Abortable = {}): Promise<void> {
    if (this.#revoked !== undefined) {
      return this.#revoked;
    }
    // After a loss or an orphaning there is still a lease that may be revoked, or not.
    this.#end(this.#error(TopoErrorCode.Interrupted, "the session was closed"));
    this.#revoked = this.#revoke(signal);
    this.#revoked.catch(() => {
      this.#revoked = undefined;
    });
    return this.#revoked;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #revoke(signal: AbortSignal | undefined): Promise<void> {
    const { leases, id, ttlMs, clock } = this.#options;
    using deadline = new Deadline({ clock, ms: ttlMs, what: "revoking the lease", signal });
    await leases.revoke(id, deadline.signal);
  }

  async #keepAlive(): Promise<void> {
    const { ttlMs, clock } = this.#options;
    const ended = this.#ended.signal;
    let wait = ttlMs / 3;
    for (;;) {
      await sleep(clock, Math.min(wait, this.#leftMs()), ended);
      if (ended.aborted) {
        return;
      }
      const left = this.#leftMs();
      if (left <= 0) {
        return this.#lose("could not be renewed in time");
      }
      const sentAt = momentOf(clock);
      try {
        if (!(await this.#renew(Math.min(left, ttlMs / 6)))) {
          return this.#lose("expired");
        }
        this.#confirmedAt = sentAt;
        wait = ttlMs / 3;
      } catch {
        // The next renewal, or the end of the time to live, decides.
        wait = ttlMs / 12;
      }
    }
  }

  async #renew(ms: number): Promise<boolean> {
    const { leases, id, clock } = this.#options;
    const what = "renewing the lease";
    using deadline = new Deadline({ clock, ms, what, signal: this.#ended.signal });
    return await leases.renew(id, deadline.signal);
  }

  #leftMs(): number {
    const { ttlMs, clock } = this.#options;
    const { wall, monotonic } = this.#confirmedAt;
    return ttlMs - Math.max(clock.now() - wall, clock.monotonic() - monotonic);
  }

  #lose(how: string): void {
    this.#end(this.#error(TopoErrorCode.SessionLost, `the session ${how}`));
  }

  #error(code: TopoErrorCode, message: string): TopoError {
    return new TopoError({ code, key: `session ${this.id}`, message });
  }

  #end(reason: TopoError): void {
    if (this.#ended.signal.aborted) {
      return;
    }
    this.#ended.abort(reason);
    this.#options.onEnd(this);
  }
}
