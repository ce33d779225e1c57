import type { ConnectionShare, ConnectionSlot } from "@multipooler/controller-api";
import { PoolerErrorCode } from "@multipooler/query-service";
import { Backoff, isTimeout } from "@multipooler/timing";
import type { Clock, Timer } from "@multipooler/timing";
import { MultiPoolerError } from "../error.ts";
import type { PoolerEventListener } from "../pooler-event.ts";
import { TOO_MANY_CONNECTIONS, connectionLimitOf } from "../postgres-error.ts";
import type { Backend, BackendAccess, OpenBackend } from "./backend.ts";
import { DialLimit } from "./dial-limit.ts";

/** No dial begins sooner after one that failed. */
const REDIAL_DELAY_MS = 100;
/** While the server is full the delay grows by up to this, unless the share tells earlier. */
const MAX_FULL_DELAY_MS = 2000;

/** A session, and the place in the share that it holds until it ends. */
export interface OpenedSession {
  readonly backend: Backend;
  readonly slot: ConnectionSlot;
  readonly access: BackendAccess;
  /** As `dial` was called. */
  readonly generation: number;
}

export interface DialerOptions {
  readonly openBackend: OpenBackend;
  readonly share: ConnectionShare;
  /** Default: one of its own. */
  readonly dials?: DialLimit | undefined;
  readonly clock: Clock;
  readonly random: () => number;
  readonly onEvent?: PoolerEventListener | undefined;
  readonly onOpened: (opened: OpenedSession) => void;
  /** A dial failed. Requests go on waiting when the server was only full. */
  readonly onFailed: (error: MultiPoolerError, isServerFull: boolean) => void;
  /** A dial may be possible that was not before. */
  readonly onRoom: () => void;
}

/**
 * Opens sessions: with those of other pools a few at a time, each with a place in the share that is taken before the dial and
 * given back if it fails, and none for a while after a failure.
 */
export class Dialer {
  readonly #options: DialerOptions;
  readonly #fullBackoff: Backoff;
  readonly #limit: DialLimit;
  readonly #stop = new AbortController();
  readonly #stopListening: () => void;
  #underWay = 0;
  #pause: Timer | undefined;

  constructor(options: DialerOptions) {
    this.#options = options;
    this.#limit = options.dials ?? new DialLimit();
    this.#fullBackoff = new Backoff({
      minMs: REDIAL_DELAY_MS,
      maxMs: MAX_FULL_DELAY_MS,
      random: options.random,
    });
    this.#stopListening = options.share.onChange(() => options.onRoom());
  }

  /** Dials under way. */
  get count(): number {
    return this.#underWay;
  }

  /** Begins a dial. False: not now; `onRoom` tells when to try again. */
  dial(access: BackendAccess, generation: number): boolean {
    const { share, onRoom } = this.#options;
    const isResting = this.#stop.signal.aborted || this.#pause !== undefined;
    if (isResting || !this.#limit.hasRoom(onRoom)) {
      return false;
    }
    const slot = share.tryTake();
    if (slot === undefined) {
      return false;
    }
    void this.#open({ slot, access, generation });
    return true;
  }

  /** Begins no dial for a while. */
  rest(delayMs: number = REDIAL_DELAY_MS): void {
    this.#pause ??= this.#options.clock.setTimer(() => {
      this.#pause = undefined;
      this.#options.onRoom();
    }, delayMs);
  }

  /** Aborts the dials; `onFailed` is called for each. */
  close(reason: MultiPoolerError): void {
    this.#stopListening();
    this.#limit.forget(this.#options.onRoom);
    this.#pause?.cancel();
    this.#stop.abort(reason);
  }

  async #open(dial: Omit<OpenedSession, "backend">): Promise<void> {
    const { openBackend, onOpened, onEvent, clock } = this.#options;
    const startedAt = clock.monotonic();
    this.#underWay += 1;
    this.#limit.begin();
    let backend: Backend;
    try {
      backend = await openBackend(dial.access, { signal: this.#stop.signal });
    } catch (error) {
      this.#underWay -= 1;
      dial.slot.release();
      this.#fail(error);
      this.#limit.end();
      return;
    }
    this.#underWay -= 1;
    this.#fullBackoff.reset();
    onEvent?.({ type: "connectionOpened", durationMs: clock.monotonic() - startedAt });
    onOpened({ ...dial, backend });
    this.#limit.end();
  }

  #fail(cause: unknown): void {
    const error =
      cause instanceof MultiPoolerError
        ? cause
        : new MultiPoolerError(PoolerErrorCode.Internal, "a dial failed unexpectedly", { cause });
    const isServerFull = error.diagnostic?.code === TOO_MANY_CONNECTIONS;
    if (!this.#stop.signal.aborted) {
      this.#options.onEvent?.({ type: "connectionFailed", isTimeout: hasTimedOut(error) });
    }
    if (isServerFull && !this.#stop.signal.aborted) {
      if (connectionLimitOf(error) === undefined) {
        this.#options.share.serverIsFull();
      }
      this.rest(REDIAL_DELAY_MS + this.#fullBackoff.nextMs());
    }
    this.#options.onFailed(error, isServerFull);
  }
}

/** Whether the dial has taken too long: that is behind the error which says so. */
function hasTimedOut(error: unknown): boolean {
  return isTimeout(error) || (error instanceof Error && hasTimedOut(error.cause));
}
