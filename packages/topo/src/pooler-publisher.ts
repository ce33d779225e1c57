import type { ID, Multipooler, PoolerType } from "@multipooler/proto/clustermetadata";
import { Backoff, Deadline, systemClock } from "@multipooler/timing";
import type { Clock } from "@multipooler/timing";
import { Alarm } from "./alarm.ts";
import { follow } from "./follow.ts";
import { isPermanent, storeClosed } from "./error.ts";
import { componentId } from "./keys.ts";
import type { Abortable } from "./key-value.ts";
import type { Logger } from "./logger.ts";
import { PoolerRecordKeeper } from "./pooler-record-keeper.ts";
import { shutdownState, START_STATE } from "./pooler-record.ts";
import type { PoolerIdentity, PoolerState, RecordSources } from "./pooler-record.ts";
import { PublisherReport } from "./publisher-report.ts";
import type { Finding } from "./publisher-report.ts";
import type { PublisherStatus, StatusListener } from "./publisher-status.ts";
import type { RecordEvent, Records, Versioned } from "./records.ts";

/** How long one write may take, in milliseconds. */
const WRITE_TIMEOUT_MS = 5000;
/** How often the record is looked after without a reason, and the longest wait after a failure. */
const RETRY_MS = 30_000;

/** What a pooler's publisher is made of. */
export interface PoolerPublisherOptions {
  /** Where the record is: `topo.cell(id.cell).poolers`. */
  readonly poolers: Records<ID, Multipooler>;
  readonly identity: PoolerIdentity;
  /** The type of the very first registration: used where there is no record, and no memory of one. */
  readonly initialType: PoolerType;
  /**
   * The type that the record had when it was last read, as the caller kept it on this machine. It
   * stands until the record can be read, and where the record is gone.
   */
  readonly rememberedType?: PoolerType | undefined;
  readonly logger: Logger;
  readonly clock?: Clock | undefined;
  /** A number from 0 up to 1, for the jitter between attempts. */
  readonly random?: (() => number) | undefined;
}

/** How to close a publisher. */
export interface PublisherCloseOptions extends Abortable {
  /** Why the pooler stops, for the record. */
  readonly reason?: string | undefined;
}

/**
 * Keeps one pooler's record in step with its state: registers it, writes each change, tries again
 * until it can, and notices what others make of the record. Only `registered` and `close` wait.
 * For one run: after `close` a new one is made.
 */
export class PoolerPublisher {
  readonly #options: PoolerPublisherOptions;
  readonly #name: string;
  readonly #clock: Clock;
  readonly #random: () => number;
  readonly #keeper: PoolerRecordKeeper;
  readonly #report: PublisherReport;
  readonly #alarm: Alarm;
  readonly #backoff: Backoff;
  readonly #stop = new AbortController();
  #sources: RecordSources;
  #running: Promise<unknown> | undefined;
  #closed: Promise<void> | undefined;

  constructor(options: PoolerPublisherOptions) {
    const { poolers, identity, initialType, rememberedType } = options;
    this.#options = options;
    this.#name = componentId(identity.id);
    this.#clock = options.clock ?? systemClock;
    this.#random = options.random ?? Math.random;
    this.#keeper = new PoolerRecordKeeper({
      poolers,
      identity,
      firstType: rememberedType ?? initialType,
      clock: this.#clock,
      random: this.#random,
    });
    this.#report = new PublisherReport({
      name: this.#name,
      rememberedType,
      logger: options.logger,
      clock: this.#clock,
    });
    this.#alarm = new Alarm(this.#clock);
    this.#backoff = new Backoff({
      minMs: 10,
      maxMs: RETRY_MS,
      random: this.#random,
    });
    this.#sources = { identity, state: START_STATE, since: this.#now() };
  }

  /** Starts registering in the background, with lifecycle STARTING. Idempotent. */
  open(): void {
    if (this.#closed !== undefined) {
      throw storeClosed(this.#name);
    }
    const { poolers, identity } = this.#options;
    this.#running ??= Promise.all([
      this.#keepWriting(),
      follow({
        watch: (signal) => poolers.watch({ id: identity.id, signal }),
        onEvent: (event) => this.#observe(event),
        onFailure: (error) =>
          this.#report.failed(error, "could not watch the record of this pooler"),
        clock: this.#clock,
        random: this.#random,
        signal: this.#stop.signal,
      }),
    ]);
  }

  /**
   * Resolves once the record has been created or read and renewed, so that `status().type` comes
   * from the topology. Rejects where waiting does not help, for instance with RECORD_CONFLICT or
   * DENIED; the attempts go on all the same.
   */
  async registered({ signal }: Abortable = {}): Promise<void> {
    const stop = this.#stop.signal;
    await this.#report.board.until(
      ({ registered, lastError }) => {
        if (!registered && isPermanent(lastError)) {
          throw lastError;
        }
        return registered;
      },
      this.#name,
      signal === undefined ? stop : AbortSignal.any([signal, stop]),
    );
  }

  /** Changes what the record says, in the background; the latest wins. */
  publish(change: Partial<PoolerState>): void {
    if (this.#stop.signal.aborted) {
      return;
    }
    this.#become({ ...this.#sources.state, ...change });
    if (this.#keeper.says(this.#sources)) {
      return;
    }
    this.#report.outdated();
    this.#alarm.ring();
  }

  status(): PublisherStatus {
    return this.#report.board.get();
  }

  /** Calls `listener` after each change of the status, the type included; returns the way to stop. */
  watchStatus(listener: StatusListener): () => void {
    return this.#report.board.watch(listener);
  }

  /**
   * Writes the last state: not serving, routed to by nobody, lifecycle SHUTDOWN, the type kept. A
   * record that is not there is not created. Rejects where the write failed; nothing goes on
   * afterwards in either case. Idempotent.
   */
  close(options: PublisherCloseOptions = {}): Promise<void> {
    this.#closed ??= this.#close(options);
    return this.#closed;
  }

  async #close({ reason = "process stopping", signal }: PublisherCloseOptions): Promise<void> {
    this.#stop.abort(storeClosed(this.#name));
    if (this.#running === undefined) {
      return;
    }
    await this.#running;
    this.#become(shutdownState(reason));
    await this.#write({ create: false, signal });
  }

  async #keepWriting(): Promise<void> {
    const signal = this.#stop.signal;
    while (!signal.aborted) {
      const sources = this.#sources;
      try {
        await this.#write({ create: true, signal });
        this.#backoff.reset();
        if (sources !== this.#sources) {
          continue;
        }
        const rang = await this.#alarm.wait(RETRY_MS, signal);
        if (!rang) {
          this.#keeper.doubt();
        }
      } catch (error) {
        if (signal.aborted) {
          return;
        }
        this.#report.failed(error, "could not write the record of this pooler");
        await this.#alarm.wait(this.#backoff.nextMs(), signal);
      }
    }
  }

  async #write(options: {
    readonly create: boolean;
    readonly signal: AbortSignal | undefined;
  }): Promise<void> {
    const { create, signal } = options;
    const sources = this.#sources;
    using deadline = new Deadline({
      clock: this.#clock,
      ms: WRITE_TIMEOUT_MS,
      what: "writing the record",
      signal,
    });
    const outcome = await this.#keeper.write(sources, { create, signal: deadline.signal });
    if (outcome !== "absent") {
      this.#report.succeeded(outcome === "written", this.#finding());
    }
  }

  #observe(event: RecordEvent<Multipooler>): void {
    switch (event.type) {
      case "snapshot":
        this.#resumed();
        for (const entry of event.entries) {
          this.#observeRecord(entry);
        }
        break;
      case "put":
        this.#observeRecord(event);
        break;
      case "delete":
        this.#keeper.forget();
        this.#report.deleted();
        break;
      case "invalid":
        this.#keeper.forget();
        this.#report.outdated();
        this.#report.failed(event.error, "the record of this pooler was damaged");
        break;
      case "interrupted":
        this.#report.failed(event.error, "the topology server is away");
        break;
      case "resumed":
        this.#resumed();
        break;
    }
  }

  #observeRecord(seen: Versioned<Multipooler>): void {
    try {
      this.#keeper.observe(seen);
      this.#report.seen(this.#finding());
    } catch (error) {
      this.#report.failed(error, "the record of this pooler belongs to another one");
    }
  }

  #resumed(): void {
    this.#report.resumed();
    this.#backoff.reset();
    this.#keeper.doubt();
    this.#alarm.ring();
  }

  #finding(): Finding {
    return { type: this.#keeper.type, upToDate: this.#keeper.says(this.#sources) };
  }

  #become(state: PoolerState): void {
    const before = this.#sources.state.lifecycle;
    const { status, reason } = state.lifecycle;
    const same = before.status === status && before.reason === reason;
    this.#sources = { ...this.#sources, state, since: same ? this.#sources.since : this.#now() };
  }

  #now(): Date {
    return new Date(this.#clock.now());
  }
}
