import { PeriodicTask } from "@multipooler/timing";
import type { Clock } from "@multipooler/timing";
import type { CallOptions } from "@multipooler/query-service";
import { SqlState } from "./database-fault.ts";
import type { Logger } from "../logger.ts";
import { ManagerError, ManagerErrorCode } from "../manager-error.ts";
import { messageOf } from "../error-message.ts";

/**
 * What dials and lookups say of a server whose open connections still work.
 *
 * | seen                                                         | state                       |
 * | ------------------------------------------------------------ | --------------------------- |
 * | a new connection is accepted                                 | open                        |
 * | the name leads elsewhere, in two lookups one after the other | leaving, for good           |
 * | the configuration names another address                      | leaving, for good           |
 * | a new connection is refused with 57P03                       | leaving, for good           |
 * | a new connection is refused otherwise, twice in a row        | refusing, until one is accepted |
 * | it is refused for lack of room (53300), or nobody answers    | as before: the share and the manager's own connections tell of that |
 *
 * After a smart shutdown has begun, 57P03 is all that shows it: the sessions that are open go on,
 * and keep the server from ending.
 */
export type DoorState =
  | { readonly type: "open" }
  | { readonly type: "refusing"; readonly error: ManagerError }
  | { readonly type: "leaving"; readonly error: ManagerError };

export interface ServerWatchOptions {
  /** Opens a new connection to the server and closes it. Rejects with a `ManagerError`. */
  readonly dial: (options: CallOptions) => Promise<unknown>;
  /**
   * Whether the configured name still leads to the server; rejects where that is not known. Absent
   * where no name is configured.
   */
  readonly isStillNamed: ((options: CallOptions) => Promise<boolean>) | undefined;
  readonly place: string;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Called, synchronously, after each change of {@link ServerWatch.state}. */
  readonly onChange: (state: DoorState) => void;
}

/** How often it looks the name up, and how soon again where it leads elsewhere: together less than a second. */
const LOOKUP_MS = 500;
const MISNAMED_MS = 250;
/** How often it dials. */
const DIAL_MS = 3_000;
/** How soon it dials again after a refusal, which must be seen twice. */
const CONFIRM_MS = 1_000;
/** Suspicions that come in a flood cause no flood of dials. */
const MIN_INTERVAL_MS = 250;

/** Looks at the door of a server that is in use: whether it lets new connections in. */
export class ServerWatch {
  readonly #options: ServerWatchOptions;
  readonly #task: PeriodicTask;
  #state: DoorState = { type: "open" };
  #dialledAt = -Infinity;
  #nextDialAt = -Infinity;
  /** Something is suspect since the last dial began. */
  #isAsked = false;
  #misnamed = false;
  #refused = false;

  constructor(options: ServerWatchOptions) {
    this.#options = options;
    this.#task = new PeriodicTask({
      clock: options.clock,
      run: (signal) => this.#look(signal),
    });
  }

  get state(): DoorState {
    return this.#state;
  }

  get #isLeaving(): boolean {
    return this.#state.type === "leaving";
  }

  open(): void {
    this.#task.open();
  }

  /** Looks now rather than at the next turn, unless it just has. */
  lookNow(): void {
    if (this.#options.clock.monotonic() - this.#dialledAt >= MIN_INTERVAL_MS) {
      this.#isAsked = true;
      this.#task.poke();
    }
  }

  /** The server is not to be used any more, whatever a look at it would find. */
  leave(error: ManagerError): void {
    this.#change({ type: "leaving", error });
  }

  /** Resolves when nothing is in flight. Idempotent. */
  close(): Promise<void> {
    return this.#task.close();
  }

  async #look(signal: AbortSignal): Promise<number | undefined> {
    const now = this.#options.clock.monotonic();
    await this.#lookUp(signal);
    const isDue = this.#isAsked || now >= this.#nextDialAt;
    if (isDue && !signal.aborted && !this.#isLeaving) {
      this.#isAsked = false;
      this.#dialledAt = now;
      const isAccepted = await this.#dial(signal);
      this.#nextDialAt = now + (isAccepted ? DIAL_MS : CONFIRM_MS);
    }
    if (signal.aborted || this.#isLeaving) {
      return undefined;
    }
    if (this.#options.isStillNamed === undefined) {
      return Math.max(0, this.#nextDialAt - this.#options.clock.monotonic());
    }
    return this.#misnamed ? MISNAMED_MS : LOOKUP_MS;
  }

  async #lookUp(signal: AbortSignal): Promise<void> {
    const { isStillNamed, place, logger } = this.#options;
    if (isStillNamed === undefined) {
      return;
    }
    let isNamed: boolean;
    try {
      isNamed = await isStillNamed({ signal });
    } catch (error) {
      // A name server in trouble says nothing of the server.
      logger.debug({ err: error }, "the name of the server cannot be looked up");
      return;
    }
    if (!isNamed && this.#misnamed) {
      this.leave(movedFault(place));
    }
    this.#misnamed = !isNamed;
  }

  /** False where the answer needs another look. */
  async #dial(signal: AbortSignal): Promise<boolean> {
    try {
      await this.#options.dial({ signal });
      this.#refused = false;
      this.#change({ type: "open" });
      return true;
    } catch (error) {
      return signal.aborted || this.#judge(error);
    }
  }

  #judge(error: unknown): boolean {
    if (!(error instanceof ManagerError) || saysNothing(error)) {
      return true;
    }
    if (error.sqlState === SqlState.CannotConnectNow) {
      this.#change({
        type: "leaving",
        error: new ManagerError(ManagerErrorCode.DatabaseLeaving, error.message, {
          cause: error,
          sqlState: error.sqlState,
        }),
      });
      return true;
    }
    if (this.#refused) {
      this.#change({ type: "refusing", error });
    }
    this.#refused = true;
    return false;
  }

  #change(state: DoorState): void {
    const before = this.#state;
    const isSame = before.type === state.type && textOf(before) === textOf(state);
    if (isSame || before.type === "leaving") {
      return;
    }
    this.#state = state;
    const { logger, onChange } = this.#options;
    const fields = { from: before.type, to: state.type };
    if (state.type === "open") {
      logger.info(fields, "PostgreSQL takes new connections again");
    } else {
      logger.warn({ ...fields, err: state.error }, messageOf(state.error));
    }
    onChange(state);
  }
}

/** A server that the configuration, or the name in it, does not stand for any more. */
export function movedFault(place: string): ManagerError {
  const message = `${place} is no longer at the configured address`;
  return new ManagerError(ManagerErrorCode.DatabaseLeaving, message);
}

function textOf(state: DoorState): string {
  return state.type === "open" ? "" : state.error.message;
}

/** Faults that the manager's own connections or the share tell of. */
function saysNothing(error: ManagerError): boolean {
  return (
    error.code === ManagerErrorCode.DatabaseTimeout ||
    error.code === ManagerErrorCode.Cancelled ||
    error.sqlState === SqlState.TooManyConnections
  );
}
