import type { Clock } from "@multipooler/timing";
import { messageOf } from "./error-message.ts";
import type { Logger } from "./logger.ts";

export interface FailureLogOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  /** What fails and is retried, e.g. "connecting to PostgreSQL". */
  readonly what: string;
}

/** What is known of something that fails. */
interface Failing {
  /** On the monotonic clock, as is `loggedAt`. */
  readonly since: number;
  reason: string;
  attempts: number;
  loggedAt: number;
  /** How long after that line the same reason is not worth another. */
  silenceMs: number;
}

const FIRST_SILENCE_MS = 1_000;
const LONGEST_SILENCE_MS = 60_000;

/**
 * Logs something that is retried until it works: a warning when it begins to fail, one when the
 * reason changes, and else after silences that double up to a minute; one line when it works again.
 */
export class FailureLog {
  readonly #options: FailureLogOptions;
  #failing: Failing | undefined;

  constructor(options: FailureLogOptions) {
    this.#options = options;
  }

  /** An attempt failed. */
  failed(error: unknown): void {
    const now = this.#options.clock.monotonic();
    const reason = messageOf(error);
    const failing = (this.#failing ??= {
      since: now,
      reason,
      attempts: 0,
      loggedAt: now,
      silenceMs: 0,
    });
    failing.attempts += 1;
    const isSilent = now - failing.loggedAt < failing.silenceMs;
    if (failing.reason === reason && isSilent) {
      return;
    }
    failing.reason = reason;
    failing.loggedAt = now;
    const doubled = Math.max(FIRST_SILENCE_MS, failing.silenceMs * 2);
    failing.silenceMs = Math.min(doubled, LONGEST_SILENCE_MS);
    const { what, logger } = this.#options;
    const { attempts, since } = failing;
    logger.warn({ err: error, attempts, failingForMs: now - since }, `${what} fails: ${reason}`);
  }

  /** An attempt worked. */
  succeeded(): void {
    if (this.#failing === undefined) {
      return;
    }
    const { what, logger, clock } = this.#options;
    const { attempts, since } = this.#failing;
    logger.info({ attempts, failedForMs: clock.monotonic() - since }, `${what} works again`);
    this.#failing = undefined;
  }
}
