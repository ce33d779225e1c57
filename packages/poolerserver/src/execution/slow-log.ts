import type { Binding } from "@multipooler/query-service";
import type { Clock } from "@multipooler/timing";
import type { Logger } from "../logger.ts";
import { shownParameters } from "./parameter-values.ts";
import { withoutSecrets } from "./statement-secrets.ts";

/** What counts as slow, read when it is needed. */
export interface SlowLimits {
  /** A statement that took so long, its wait for a connection included; 0: none is. */
  readonly slowStatementMs: number;
  /** A wait for a connection that took so long; 0: none is. */
  readonly slowWaitMs: number;
  /** How many characters of a statement's text the log gets; 0: none. */
  readonly slowTextLength: number;
  /** How many characters of the value of each parameter the log gets; 0: none, not even their number. */
  readonly slowParameterLength: number;
}

/** The parameters of a statement that was slow. */
type Parameters = Pick<Binding, "parameters" | "parameterFormats">;

/** A statement that has ended. `parameters` is asked for only if they are to be logged. */
export interface EndedStatement extends SlowCaller {
  readonly text: string;
  readonly parameters: () => Parameters | undefined;
}

/** Who ran something that was slow. */
export interface SlowCaller {
  readonly user: string;
  /** The client, e.g. its address. */
  readonly origin: string;
}

export interface SlowLogOptions {
  readonly limits: SlowLimits;
  readonly database: string;
  readonly clock: Clock;
  readonly logger: Pick<Logger, "info">;
}

/** So many lines a second at most; the next one says how many were left out. */
const MAX_LINES = 20;
const PERIOD_MS = 1000;
/** Stands for a start that nobody wants to know. */
const UNTIMED = 0;

/**
 * Logs statements and waits that were slow. Texts are cut, before a password in any case, and values of parameters are part of the
 * lines only if that was asked for. Switched off it does not even look at the clock.
 */
export class SlowLog {
  readonly #options: SlowLogOptions;
  #lines = 0;
  #leftOut = 0;
  #periodBegan: number = Number.NEGATIVE_INFINITY;

  constructor(options: SlowLogOptions) {
    this.#options = options;
  }

  /** The start of a statement, for {@link ended}. */
  begun(): number {
    const { limits, clock } = this.#options;
    return limits.slowStatementMs > 0 ? clock.monotonic() : UNTIMED;
  }

  /** A statement has ended that began at `begun`. */
  ended(begun: number, ended: EndedStatement): void {
    const { limits, clock } = this.#options;
    const { slowStatementMs, slowTextLength } = limits;
    if (begun === UNTIMED || slowStatementMs === 0) {
      return;
    }
    const durationMs = clock.monotonic() - begun;
    if (durationMs >= slowStatementMs) {
      const { text, user, origin } = ended;
      const shown = withoutSecrets(text);
      const cut = shown.length > slowTextLength ? `${shown.slice(0, slowTextLength)}…` : shown;
      const statement = slowTextLength === 0 ? undefined : cut;
      const times = { durationMs: Math.round(durationMs) };
      const values = this.#valuesOf(ended);
      this.#log({ user, origin, ...times, statement, ...values }, "a slow statement");
    }
  }

  #valuesOf({ parameters }: EndedStatement): object {
    const { slowParameterLength } = this.#options.limits;
    const bound = slowParameterLength === 0 ? undefined : parameters();
    return bound === undefined ? {} : { parameters: shownParameters(bound, slowParameterLength) };
  }

  /** Somebody has waited for a connection, and got one or was refused. */
  waited(waitMs: number, caller: SlowCaller): void {
    const { slowWaitMs } = this.#options.limits;
    if (slowWaitMs > 0 && waitMs >= slowWaitMs) {
      const { user, origin } = caller;
      this.#log({ user, origin, waitMs: Math.round(waitMs) }, "a slow wait for a connection");
    }
  }

  #log(fields: object, message: string): void {
    const { clock, database, logger } = this.#options;
    const now = clock.monotonic();
    if (now - this.#periodBegan >= PERIOD_MS) {
      this.#periodBegan = now;
      this.#lines = 0;
    }
    if (this.#lines >= MAX_LINES) {
      this.#leftOut += 1;
      return;
    }
    this.#lines += 1;
    const leftOut = this.#leftOut === 0 ? {} : { leftOut: this.#leftOut };
    this.#leftOut = 0;
    logger.info({ database, ...fields, ...leftOut }, message);
  }
}
