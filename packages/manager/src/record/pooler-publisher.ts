import { Backoff, Deadline, PeriodicTask } from "@multipooler/timing";
import type { Clock } from "@multipooler/timing";
import { TopoError, TopoErrorCode } from "@multipooler/topo";
import type { CellStore, Multipooler, Versioned } from "@multipooler/topo";
import type { Logger } from "../logger.ts";
import type { PoolerDescription } from "../manager-options.ts";
import { poolerId } from "../manager-settings.ts";
import { START_STATE, changeOf } from "./announcement.ts";
import { NameClaim, isNameInUse } from "./name-claim.ts";
import { recordId } from "./pooler-record.ts";
import type { PoolerState, RecordSources } from "./pooler-record.ts";
import { PoolerType } from "./pooler-type.ts";
import { PublisherReport } from "./publisher-report.ts";
import type { Finding } from "./publisher-report.ts";
import { isRefusal } from "./publisher-status.ts";
import type { KnownType, PublisherStatus, StatusListener } from "./publisher-status.ts";
import { RecordKeeper } from "./record-keeper.ts";
import { watchRecord } from "./record-watch.ts";
import type { RecordObserver } from "./record-watch.ts";

/** How long one write may take. */
const WRITE_TIMEOUT_MS = 5000;
/** How often the record is looked after without a reason, and the longest wait after a failure. */
const RETRY_MS = 30_000;
/** How long a record stays as somebody else left it, so that two who disagree do not fight. */
const REPAIR_MS = 1000;

export interface PoolerPublisherOptions {
  /** The store of the pooler's cell. */
  readonly cell: CellStore;
  /** Its `initialType` is for the very first registration: no record, and no memory of one. */
  readonly pooler: PoolerDescription;
  /**
   * The type that the record had when it was last read, as this machine remembers it. It stands
   * until the record can be read, and where the record is gone.
   */
  readonly rememberedType: PoolerType | undefined;
  readonly logger: Logger;
  readonly clock: Clock;
  /** A number in [0, 1), for the jitter between attempts. */
  readonly random: () => number;
}

export interface PublisherCloseOptions {
  /** Why the pooler stops, for the record. */
  readonly reason?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Keeps one pooler's record in step with its state: claims the name, registers it, writes each
 * change, tries again until it can, and notices what others make of the record. Only `until` and
 * `close` wait. For one run: after `close` a new one is made.
 */
export class PoolerPublisher {
  readonly #options: PoolerPublisherOptions;
  readonly #claim: NameClaim;
  readonly #keeper: RecordKeeper;
  readonly #report: PublisherReport;
  readonly #task: PeriodicTask;
  readonly #backoff: Backoff;
  readonly #stop = new AbortController();
  #sources: RecordSources;
  /** Whether there is a reason to write, other than that time has passed. */
  #isAsked = true;
  #notBefore = 0;
  #following: Promise<unknown> | undefined;
  #closed: Promise<void> | undefined;

  constructor(options: PoolerPublisherOptions) {
    const { cell, pooler, rememberedType, logger, clock, random } = options;
    this.#options = options;
    this.#claim = new NameClaim({ cell, pooler, clock, onLost: () => this.#ask() });
    this.#keeper = new RecordKeeper({
      poolers: cell.poolers,
      pooler,
      firstType: rememberedType ?? pooler.initialType,
      authorize: (signal) => this.#claim.hold(signal),
      onGone: () => this.#report.deleted(),
      clock,
      random,
    });
    const name = poolerId(pooler.identity);
    const { initialType } = pooler;
    this.#report = new PublisherReport({ name, initialType, rememberedType, logger, clock });
    this.#task = new PeriodicTask({ clock, run: (signal) => this.#converge(signal) });
    this.#backoff = new Backoff({ minMs: 10, maxMs: RETRY_MS, random });
    this.#sources = { pooler, state: START_STATE, since: this.#now() };
  }

  /** Starts registering in the background, with lifecycle STARTING. Idempotent. */
  open(): void {
    if (this.#closed !== undefined) {
      throw this.#interruption();
    }
    const { cell, pooler, clock, random } = this.#options;
    this.#following ??= watchRecord({
      cell,
      id: recordId(pooler),
      observer: this.#observer(),
      clock,
      random,
      signal: this.#stop.signal,
    });
    this.#task.open();
  }

  /**
   * Resolves with the first status for which `holds` answers true. Rejects with what it throws, or,
   * when the signal aborts or the publisher is closed, with INTERRUPTED or TIMEOUT.
   */
  async until(
    holds: (status: PublisherStatus) => boolean,
    signal: AbortSignal | undefined,
  ): Promise<PublisherStatus> {
    const stop = this.#stop.signal;
    const either = signal === undefined ? stop : AbortSignal.any([signal, stop]);
    return this.#report.board.until(holds, poolerId(this.#options.pooler.identity), either);
  }

  /** Changes what the record says, in the background; the latest wins. */
  publish(change: Partial<PoolerState>): void {
    if (this.#stop.signal.aborted) {
      return;
    }
    this.#become(change);
    if (this.#keeper.says(this.#sources)) {
      return;
    }
    this.#report.outdated();
    this.#ask();
  }

  /**
   * Gives the record a type if it has none by then, and resolves when it has one. Rejects as `until`
   * does.
   */
  async giveType(firstType: PoolerType, signal: AbortSignal): Promise<void> {
    this.#sources = { ...this.#sources, firstType };
    this.#ask();
    try {
      await this.until(({ type }) => isTyped(type), signal);
    } finally {
      // From here on it is the administrator's again.
      this.#sources = { ...this.#sources, firstType: undefined };
    }
  }

  status(): PublisherStatus {
    return this.#report.board.get();
  }

  /** Calls `listener` after each change of the status, the type included; returns the way to stop. */
  watchStatus(listener: StatusListener): () => void {
    return this.#report.board.watch(listener);
  }

  /**
   * Writes the last state: not serving, routed to by nobody, lifecycle SHUTDOWN, the type kept; and
   * gives the name up. A record that is not there is not created, and one that another process
   * holds by now is left alone. Rejects where the write failed; nothing goes on afterwards in
   * either case. Idempotent.
   */
  close(options: PublisherCloseOptions = {}): Promise<void> {
    this.#closed ??= this.#close(options);
    return this.#closed;
  }

  async #close({ reason = "process stopping", signal }: PublisherCloseOptions): Promise<void> {
    this.#stop.abort(this.#interruption());
    await Promise.all([this.#task.close(), this.#following]);
    if (this.#following === undefined || this.status().otherOwner !== undefined) {
      await this.#claim.release(signal);
      return;
    }
    this.#become(changeOf({ type: "stopped", reason }));
    try {
      await this.#write({ create: false, signal });
    } catch (error) {
      if (isRefusal(error)) {
        // The record is of another database: the name was never this pooler's to keep.
        await this.#claim.release(signal);
      } else {
        this.#claim.abandon();
      }
      throw error;
    }
    await this.#claim.release(signal);
  }

  /** One turn of the task: resolves with the delay before the next. */
  async #converge(signal: AbortSignal): Promise<number | undefined> {
    const restMs = this.#notBefore - this.#options.clock.monotonic();
    if (restMs > 0) {
      return restMs;
    }
    if (!this.#isAsked) {
      this.#keeper.doubt();
    }
    this.#isAsked = false;
    const sources = this.#sources;
    try {
      await this.#write({ create: true, signal });
      this.#backoff.reset();
      return sources === this.#sources ? RETRY_MS : 0;
    } catch (error) {
      if (signal.aborted) {
        return undefined;
      }
      this.#isAsked = true;
      this.#fail(error);
      return Math.min(this.#backoff.nextMs(), this.#claim.verdictInMs);
    }
  }

  async #write(options: {
    readonly create: boolean;
    readonly signal: AbortSignal | undefined;
  }): Promise<void> {
    const { create, signal } = options;
    const sources = this.#sources;
    using deadline = new Deadline({
      clock: this.#options.clock,
      ms: WRITE_TIMEOUT_MS,
      what: "writing the record",
      signal,
    });
    const outcome = await this.#keeper.write(sources, { create, signal: deadline.signal });
    if (outcome !== "absent") {
      this.#report.succeeded(outcome === "written", this.#finding());
    }
  }

  #fail(error: unknown): void {
    const { otherOwner } = this.#claim;
    if (isNameInUse(error) && otherOwner !== undefined) {
      this.#report.contested(error, otherOwner);
    } else {
      this.#report.failed(error, "could not write the record of this pooler");
    }
  }

  /** What the watch of the record tells. */
  #observer(): RecordObserver {
    return {
      storeAnswers: () => {
        this.#report.resumed();
        this.#backoff.reset();
        this.#keeper.doubt();
        this.#ask();
      },
      storeIsAway: (error) => this.#report.failed(error, "the topology server is away"),
      watchFailed: (error) =>
        this.#report.failed(error, "could not watch the record of this pooler"),
      recordSeen: (record) => this.#seeRecord(record),
      recordGone: () => {
        this.#keeper.forget();
        this.#report.deleted();
        this.#ask(REPAIR_MS);
      },
      recordDamaged: (error) => {
        this.#keeper.forget();
        this.#report.damaged(error);
      },
      // The next write finds out what it means.
      ownerChanged: (owner) => {
        if (owner === undefined || !this.#claim.isOwn(owner)) {
          this.#ask();
        }
      },
    };
  }

  #seeRecord(seen: Versioned<Multipooler>): void {
    try {
      this.#keeper.observe(seen);
      const finding = this.#finding();
      this.#report.seen(finding);
      if (!finding.upToDate || this.#keeper.isDoubted) {
        this.#ask(REPAIR_MS);
      }
    } catch (error) {
      this.#report.failed(error, "the record of this pooler belongs to another one");
    }
  }

  /** Has the record written, or at least looked at, in `delayMs`. */
  #ask(delayMs = 0): void {
    const at = this.#options.clock.monotonic() + delayMs;
    this.#notBefore = this.#isAsked ? Math.min(this.#notBefore, at) : at;
    this.#isAsked = true;
    this.#task.poke();
  }

  #finding(): Finding {
    return { type: this.#keeper.type, upToDate: this.#keeper.says(this.#sources) };
  }

  #become(change: Partial<PoolerState>): void {
    const { state: before, since } = this.#sources;
    const state = { ...before, ...change };
    const same =
      before.lifecycle.status === state.lifecycle.status &&
      before.lifecycle.reason === state.lifecycle.reason;
    this.#sources = { ...this.#sources, state, since: same ? since : this.#now() };
  }

  #interruption(): TopoError {
    const key = poolerId(this.#options.pooler.identity);
    const message = "the publisher is closed";
    return new TopoError({ code: TopoErrorCode.Interrupted, key, message });
  }

  #now(): Date {
    return new Date(this.#options.clock.now());
  }
}

function isTyped(type: KnownType | undefined): boolean {
  return type?.source === "topology" && type.value !== PoolerType.Unknown;
}
