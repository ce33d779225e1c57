/** Where the lines go. A pino logger satisfies it. */
export interface Logger {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

type Level = "warn" | "error";

/** What came after a line that was logged. */
interface Repeats {
  readonly level: Level;
  readonly message: string;
  count: number;
  /** Those of the last one. */
  fields: object;
  readonly timer: NodeJS.Timeout;
}

/** One line of a kind in this time. */
const PERIOD_MS = 60_000;

/**
 * A logger for what clients can cause as often as they like. Of warnings and errors with the same
 * message and `method` it logs the first one, and after a minute how many followed, with the fields
 * of the last one and their number as `repeated`. Both must be texts of our own, so that they are
 * few.
 */
export class LimitedLogger implements Logger {
  readonly #logger: Logger;
  readonly #repeats = new Map<string, Repeats>();

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  debug(fields: object, message: string): void {
    this.#logger.debug(fields, message);
  }

  info(fields: object, message: string): void {
    this.#logger.info(fields, message);
  }

  warn(fields: object, message: string): void {
    this.#limit("warn", fields, message);
  }

  error(fields: object, message: string): void {
    this.#limit("error", fields, message);
  }

  /** Logs all counts and starts afresh. Leaves no timer. */
  flush(): void {
    for (const repeats of this.#repeats.values()) {
      clearTimeout(repeats.timer);
      this.#logCount(repeats);
    }
    this.#repeats.clear();
  }

  #limit(level: Level, fields: object, message: string): void {
    const kind = "method" in fields ? `${message} ${String(fields.method)}` : message;
    const repeats = this.#repeats.get(kind);
    if (repeats === undefined) {
      this.#logger[level](fields, message);
      this.#startPeriod(kind, { level, message });
    } else {
      repeats.count += 1;
      repeats.fields = fields;
    }
  }

  #startPeriod(kind: string, { level, message }: Pick<Repeats, "level" | "message">): void {
    const timer = setTimeout(() => this.#endPeriod(kind), PERIOD_MS).unref();
    this.#repeats.set(kind, { level, message, count: 0, fields: {}, timer });
  }

  #endPeriod(kind: string): void {
    const repeats = this.#repeats.get(kind);
    this.#repeats.delete(kind);
    if (repeats !== undefined && repeats.count > 0) {
      this.#logCount(repeats);
      this.#startPeriod(kind, repeats);
    }
  }

  #logCount({ level, message, count, fields }: Repeats): void {
    if (count > 0) {
      this.#logger[level]({ ...fields, repeated: count }, message);
    }
  }
}
