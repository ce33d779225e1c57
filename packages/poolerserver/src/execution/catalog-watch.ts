import { Deadline, PeriodicTask } from "@multipooler/timing";
import type { Clock } from "@multipooler/timing";
import { untilAborted } from "../abort.ts";
import type { Classification } from "../classification/classification.ts";
import type { Classifier } from "../classification/classifier.ts";
import type { Logger } from "../logger.ts";

/** Changes that others make are seen after this time at the latest. */
const REFRESH_MS = 30_000;
/** After a failure it is tried again sooner. */
const RETRY_MS = 2000;
const TIMEOUT_MS = 5000;

/** Has `read` done when the catalog can be asked. Rejects as that does, or if it cannot. */
export type CatalogReading = (read: () => Promise<void>, signal: AbortSignal) => Promise<void>;

/**
 * Keeps what a classifier knows of the catalog up to date: reads it at the opening, after a
 * statement that may change it, and from time to time while there are statements to classify.
 */
export class CatalogWatch {
  readonly #classifier: Classifier;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #onDdl: () => void;
  readonly #onRead: () => void;
  readonly #sleeps: boolean;
  readonly #during: CatalogReading;
  /** The catalog may have changed since the last reading began. */
  #isDue = false;
  readonly #task: PeriodicTask;
  readonly #firstRead = Promise.withResolvers<void>();
  #isFailing = false;
  /** Whether there was something to classify since the last reading. */
  #isUsed = true;
  /** Nothing is read before there is something to classify. */
  #isAsleep = false;

  constructor(options: {
    readonly classifier: Classifier;
    readonly clock: Clock;
    readonly logger: Logger;
    /** Called with each {@link noteDdl}. */
    readonly onDdl?: (() => void) | undefined;
    /** Called whenever the catalog was read. */
    readonly onRead?: (() => void) | undefined;
    /** Whether nothing is read while there is nothing to classify. Default: false. */
    readonly sleeps?: boolean | undefined;
    /** Default: the catalog can be asked at any time. */
    readonly during?: CatalogReading | undefined;
  }) {
    const { classifier, clock, logger, onDdl, onRead, sleeps, during } = options;
    this.#classifier = classifier;
    this.#clock = clock;
    this.#logger = logger;
    this.#onDdl = onDdl ?? (() => undefined);
    this.#onRead = onRead ?? (() => undefined);
    this.#sleeps = sleeps ?? false;
    this.#during = during ?? (async (read) => await read());
    this.#task = new PeriodicTask({ clock, run: (signal) => this.#read(signal) });
  }

  /**
   * Resolves after the first attempt to read, or when the watch is closed. Until one succeeds, more
   * backends are cleaned than need be. Rejects when the signal aborts.
   */
  async open(signal: AbortSignal): Promise<void> {
    this.#task.open();
    await untilAborted(this.#firstRead.promise, signal);
  }

  classify(sql: string): Classification {
    this.#isUsed = true;
    if (this.#isAsleep) {
      this.#isAsleep = false;
      this.#task.poke();
    }
    return this.#classifier.classify(sql);
  }

  noteDdl(): void {
    this.#classifier.noteDdl();
    this.#onDdl();
    this.#isDue = true;
    this.#task.poke();
  }

  /** Aborts what is being read. Idempotent. */
  async close(): Promise<void> {
    await this.#task.close();
    this.#firstRead.resolve();
  }

  async #read(signal: AbortSignal): Promise<number | undefined> {
    // What was judged since a change waits for the reading.
    const isNeeded = this.#isUsed || this.#isDue;
    this.#isUsed = false;
    if (this.#sleeps && !isNeeded) {
      // What others change until then will not be known.
      this.#classifier.noteDdl();
      this.#isAsleep = true;
      return undefined;
    }
    this.#isDue = false;
    try {
      await this.#refresh(signal);
      this.#isFailing = false;
      this.#onRead();
      return REFRESH_MS;
    } catch (error) {
      if (!signal.aborted) {
        // Once an outage: the manager goes on to tell of the database.
        const level = this.#isFailing ? "debug" : "warn";
        this.#isFailing = true;
        this.#logger[level]({ err: error }, "the catalog could not be read");
      }
      return RETRY_MS;
    } finally {
      this.#firstRead.resolve();
    }
  }

  async #refresh(signal: AbortSignal): Promise<void> {
    const what = "reading the catalog";
    using deadline = new Deadline({ clock: this.#clock, ms: TIMEOUT_MS, what, signal });
    const { signal: limited } = deadline;
    await this.#during(() => this.#classifier.refresh({ signal: limited }), limited);
  }
}
