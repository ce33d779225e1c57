import { Deadline, PeriodicTask } from "@multipooler/timing";
import type { Clock, Timer } from "@multipooler/timing";
import { untilAborted } from "../abort.ts";
import type {
  Classification,
  DoubtReview,
  StatementClassifier,
} from "../classification/classification.ts";
import type { Classifier } from "../classification/classifier.ts";
import type { TaintSet } from "../classification/taint.ts";
import type { Logger } from "../logger.ts";
import { ReadingPace } from "./reading-pace.ts";

/** Changes that others make are seen after this time at the latest. */
const REFRESH_MS = 30_000;
/** After a failure it is tried again sooner. */
const RETRY_MS = 2000;
const TIMEOUT_MS = 5000;
/** The first reading is waited for longer: until there is one, every backend is cleaned after each use. */
const FIRST_TIMEOUT_MS = 10_000;

/** Has `read` done when the catalog can be asked. Rejects as that does, or if it cannot. */
export type CatalogReading = (read: () => Promise<void>, signal: AbortSignal) => Promise<void>;

/**
 * Keeps what a classifier knows of the catalog up to date: reads it at the opening, after a
 * statement that may change it, and from time to time while there are statements to classify. While
 * many statements change it, it rests in between, unless somebody waits: see {@link ReadingPace}.
 */
export class CatalogWatch implements StatementClassifier, DoubtReview {
  readonly #classifier: Classifier;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #onDdl: () => void;
  readonly #onRead: () => void;
  readonly #isAwaited: () => boolean;
  readonly #sleeps: boolean;
  readonly #during: CatalogReading;
  readonly #pace = new ReadingPace();
  /** Until the next reading may begin, if one is due. */
  #rest: Timer | undefined;
  #isReading = false;
  /** The catalog may have changed since the last reading began. */
  #isDue = false;
  readonly #task: PeriodicTask;
  #isFirst = true;
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
    /** Whether somebody waits for what a reading sets free. Default: nobody does. */
    readonly isAwaited?: (() => boolean) | undefined;
    /** Whether nothing is read while there is nothing to classify. Default: false. */
    readonly sleeps?: boolean | undefined;
    /** Default: the catalog can be asked at any time. */
    readonly during?: CatalogReading | undefined;
  }) {
    const { classifier, clock, logger, onDdl, onRead, isAwaited, sleeps, during } = options;
    this.#classifier = classifier;
    this.#clock = clock;
    this.#logger = logger;
    this.#onDdl = onDdl ?? (() => undefined);
    this.#onRead = onRead ?? (() => undefined);
    this.#isAwaited = isAwaited ?? (() => false);
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

  get changes(): number {
    return this.#classifier.changes;
  }

  taintSince(text: string, changes: number): TaintSet | undefined {
    return this.#classifier.taintSince(text, changes);
  }

  noteDdl(): void {
    this.#classifier.noteDdl();
    this.#onDdl();
    this.#isDue = true;
    if (!this.#isReading) {
      this.#readAfterRest();
    }
  }

  /** Begins a reading that is due, whatever its rest. */
  hurry(): void {
    if (this.#rest !== undefined) {
      this.#endRest();
      this.#task.poke();
    }
  }

  /** Aborts what is being read. Idempotent. */
  async close(): Promise<void> {
    await this.#task.close();
    this.#endRest();
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
    this.#endRest();
    this.#isReading = true;
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
      this.#isReading = false;
      this.#isFirst = false;
      this.#firstRead.resolve();
      if (this.#isDue && !signal.aborted) {
        this.#readAfterRest();
      }
    }
  }

  async #refresh(signal: AbortSignal): Promise<void> {
    const what = "reading the catalog";
    const ms = this.#isFirst ? FIRST_TIMEOUT_MS : TIMEOUT_MS;
    using deadline = new Deadline({ clock: this.#clock, ms, what, signal });
    await this.#during(async () => {
      const startedAt = this.#clock.monotonic();
      try {
        await this.#classifier.refresh({ signal: deadline.signal });
      } finally {
        this.#pace.note({ startedAt, endedAt: this.#clock.monotonic() });
      }
    }, deadline.signal);
  }

  /** Texts are judged as by an unknown catalog until then. */
  #readAfterRest(): void {
    const restMs = this.#pace.restUntil - this.#clock.monotonic();
    if (restMs <= 0 || this.#isAwaited()) {
      this.#endRest();
      this.#task.poke();
    } else {
      this.#rest ??= this.#clock.setTimer(() => this.hurry(), restMs);
    }
  }

  #endRest(): void {
    this.#rest?.cancel();
    this.#rest = undefined;
  }
}
