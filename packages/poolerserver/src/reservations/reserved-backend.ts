import type { CopyEvent, EventRequest, TransactionStatus } from "@multipooler/pgwire";
import type { Reservation, Settings } from "@multipooler/query-service";
import { ReservationReason } from "@multipooler/query-service";
import type { Classification } from "../classification/classification.ts";
import { Taint, WITH_STATEMENTS } from "../classification/taint.ts";
import type { TaintSet } from "../classification/taint.ts";
import type { MultiPoolerError } from "../error.ts";
import type { BackendEnd } from "../pool/backend.ts";
import { BackendWait } from "../pool/borrowing.ts";
import type { BackendWish } from "../pool/borrowing.ts";
import { settingsOf } from "../pool/label.ts";
import type { Identity } from "../pool/label.ts";
import { NO_SETTINGS } from "../pool/label-settings.ts";
import type { LabelSettings } from "../pool/label-settings.ts";
import type { Lease } from "../pool/lease.ts";
import type { Holder } from "../serving/holders.ts";
import { isWritable } from "../writable-session.ts";
import type { CallEngine } from "../execution/call.ts";
import type { EventSink } from "../execution/receiver.ts";
import type { RequestRun } from "../execution/request-run.ts";
import type { TransactionOutcome } from "../pooler-event.ts";
import { HeldReasons } from "./held-reasons.ts";
import { HeldRun } from "./held-run.ts";
import type { HeldEnd } from "./held-run.ts";
import { reservationLostError } from "./reservation-error.ts";
import { Turns } from "./turns.ts";

export interface ReservedBackendOptions {
  readonly id: bigint;
  /** Only requests of this user, with these keys, may name it. */
  readonly identity: Identity;
  readonly engine: CallEngine;
  readonly onTransactionEnded: (outcome: TransactionOutcome, durationMs: number) => void;
  /** Nobody can name it any more. */
  readonly onEnding: (reserved: ReservedBackend) => void;
  /** Nothing is held any more. */
  readonly onEnded: (reserved: ReservedBackend) => void;
}

/** What a request on a reserved backend writes to, and what interrupts it. */
export interface RunOptions<More extends CopyEvent = never> {
  readonly sink: EventSink<More>;
  readonly signal: AbortSignal | undefined;
  /** Takes the ParameterDescription of a statement that is described. */
  readonly onDescribed?: ((parameters: Uint8Array) => void) | undefined;
  /** The server is about to be asked to cancel the request. */
  readonly onInterrupt?: (() => void) | undefined;
}

/**
 * | state   | has                                       | next            |
 * | ------- | ----------------------------------------- | --------------- |
 * | waiting | no backend                                | held, ending    |
 * | held    | a backend                                 | waiting, ending |
 * | ending  | gives its backend back, or has closed it  | ended           |
 * | ended   | nothing                                   |                 |
 */
type State =
  | { readonly type: "waiting"; readonly wait: BackendWait | undefined }
  | { readonly type: "held"; readonly lease: Lease }
  | { readonly type: "ending" }
  | { readonly type: "ended" };

/**
 * A backend that one caller holds to itself between its requests, and why. It is made before it has
 * its backend, so that it counts from the admission on. Its requests take turns.
 */
export class ReservedBackend implements Holder {
  readonly id: bigint;
  readonly identity: Identity;
  readonly reasons: HeldReasons = new HeldReasons();
  readonly turns: Turns = new Turns();
  /** When it was made; milliseconds since the epoch. */
  readonly sinceMs: number;
  readonly #options: ReservedBackendOptions;
  #state: State = { type: "waiting", wait: undefined };
  #run: Pick<HeldRun, "cut"> | undefined;
  #cutReason: MultiPoolerError | undefined;
  #isLost = false;
  #isReleasing = false;
  #taint: TaintSet = Taint.None;
  /** Those of the label that its backend was asked for. */
  #settings: Settings = NO_SETTINGS.values;
  /** Its session is as it was opened, and is to get the settings of its caller. */
  #isReset = false;
  /** When its transaction began; on the monotonic clock. */
  #transactionSince: number | undefined;
  /** When the last request ended; on the monotonic clock. */
  #idleSince = Number.POSITIVE_INFINITY;

  constructor(options: ReservedBackendOptions) {
    this.id = options.id;
    this.identity = options.identity;
    this.sinceMs = options.engine.clock.now();
    this.#options = options;
  }

  /** Whether it has a backend that can be used. */
  get isHeld(): boolean {
    return this.#state.type === "held" && !this.#isLost;
  }

  get transactionStatus(): TransactionStatus {
    return this.#state.type === "held" ? this.#state.lease.backend.transactionStatus : "I";
  }

  /** Why the pooler has cut it; its backend is to be discarded. */
  get cutReason(): MultiPoolerError | undefined {
    return this.#cutReason;
  }

  /** What the answers say that the caller holds. */
  get reservation(): Reservation | undefined {
    const state = this.#state;
    if (state.type !== "held" || this.reasons.isEmpty || this.#isReleasing) {
      return undefined;
    }
    const { processId } = state.lease.backend;
    return { id: this.id, reasons: this.reasons.bits, backendProcessId: processId };
  }

  /** Whether the session's default lets transactions write. */
  get isWritable(): boolean {
    return this.#state.type === "held" && isWritable(this.#state.lease.backend);
  }

  /** How long no request has had the turn, at `now` on the monotonic clock. */
  idleMs(now: number): number {
    return this.turns.isTaken ? 0 : now - this.#idleSince;
  }

  /** Waits for a backend. Rejects as the scheduler refuses, or when it is cut meanwhile. */
  async acquire(options: Omit<BackendWish, "scheduler" | "reserves">): Promise<void> {
    if (this.#cutReason !== undefined) {
      throw this.#cutReason;
    }
    this.#settings = settingsOf(options).values;
    const { scheduler } = this.#options.engine;
    const wait = new BackendWait({ ...options, scheduler, reserves: true });
    this.#state = { type: "waiting", wait };
    const lease = await wait.lease;
    this.#state = { type: "held", lease };
    // What a server says between two calls has no stream to go to.
    lease.watch({ onEnded: (end) => this.#lost(end), onUnasked: () => undefined });
  }

  /** Everything that its caller has set was reset. */
  noteReset(): void {
    this.transactionEnded("rollback");
    if (this.#state.type === "held") {
      this.#state.lease.noteSettings(NO_SETTINGS);
      this.#settings = NO_SETTINGS.values;
      this.#isReset = true;
    }
  }

  /** Has the session get the settings of its caller ahead of the next request, if it was reset. */
  restoreSettings(settingsOfCaller: () => LabelSettings): void {
    if (this.#state.type === "held" && this.#isReset) {
      const settings = settingsOfCaller();
      this.#isReset = false;
      this.#settings = settings.values;
      this.#state.lease.want(settings);
    }
  }

  /** Runs one request on the backend. Rejects with what `request` throws, and nothing else. */
  async run<More extends CopyEvent = never>(
    request: (receiver: RequestRun<More>, lease: Lease) => EventRequest,
    options: RunOptions<More>,
  ): Promise<HeldEnd> {
    const state = this.#state;
    if (state.type !== "held" || this.#cutReason !== undefined) {
      return withdrawn(this.#cutReason ?? reservationLostError(this.id));
    }
    const { backend } = state.lease;
    const run = new HeldRun({ ...options, backend, engine: this.#options.engine });
    const sent = request(run.receiver, state.lease);
    this.#run = run;
    const end = await run.send(sent);
    this.#run = undefined;
    if (end.settingsReported) {
      this.taint(Taint.Settings);
    }
    return end;
  }

  /** A transaction has begun. */
  transactionBegan(): void {
    this.reasons.add(ReservationReason.Transaction, []);
    this.#transactionSince = this.#options.engine.clock.monotonic();
  }

  /** Its transaction is over. */
  transactionEnded(outcome: TransactionOutcome): void {
    this.reasons.remove(ReservationReason.Transaction);
    if (this.#state.type === "held" && this.#state.lease.statements.isApart) {
      this.#state.lease.statements.rejoin();
      if ((this.#taint & Taint.Settings) !== 0) {
        this.#state.lease.statements.setApart();
      }
    }
    if (this.#transactionSince !== undefined) {
      const durationMs = this.#options.engine.clock.monotonic() - this.#transactionSince;
      this.#transactionSince = undefined;
      this.#options.onTransactionEnded(outcome, durationMs);
    }
  }

  /** Notes what a statement does that is about to run, or has run. */
  note({ taint, setsLocally, sharing }: Classification): void {
    this.taint(taint);
    if (this.#state.type === "held") {
      const { statements } = this.#state.lease;
      // Such as ROLLBACK TO, which takes back what a transaction has set.
      if (setsLocally || (statements.isApart && sharing === "exclusive")) {
        statements.rejoin();
        statements.setApart();
      }
    }
  }

  /** Notes what a statement may leave in the session. */
  taint(taint: TaintSet): void {
    this.#taint |= taint;
    if ((taint & Taint.Settings) !== 0 && this.#state.type === "held") {
      this.#state.lease.statements.setApart();
    }
    if ((taint & WITH_STATEMENTS) !== 0 && this.#state.type === "held") {
      this.#state.lease.statements.doubt();
    }
  }

  /** Its caller gives it up: interrupts the request that runs, which leaves nothing to hold. */
  beginRelease(reason: MultiPoolerError): void {
    this.#isReleasing = true;
    this.#run?.cut(reason);
  }

  /** The release has its turn: what its reasons say from now on is held again. */
  settleRelease(): void {
    this.#isReleasing = false;
  }

  /** The pooler wants it to end now, whatever its caller does; see {@link Holder}. */
  cut(reason: MultiPoolerError): void {
    if (this.#cutReason !== undefined) {
      return;
    }
    this.#cutReason = reason;
    if (this.#state.type === "waiting") {
      this.#state.wait?.cancel(reason);
    } else if (this.turns.isTaken) {
      this.#run?.cut(reason);
    } else {
      void this.discard(reason);
    }
  }

  /** The request that had the turn is over. */
  pass(now: number): void {
    this.#idleSince = now;
    this.turns.pass();
  }

  /** The backend is gone before anything was sent to it: another one may be acquired. */
  drop(reason: unknown): void {
    const state = this.#state;
    if (state.type === "held") {
      this.#state = { type: "waiting", wait: undefined };
      this.#isLost = false;
      state.lease.discard(reason);
    }
  }

  /**
   * Ends the reservation, and gives the backend back to the pool: what was left in it is taken away
   * before somebody else gets it, `settings` among it where they are not its label's. Resolves when that is over; never rejects.
   */
  async giveBack(settings: Settings): Promise<void> {
    const lease = this.#beginToEnd();
    if (lease !== undefined) {
      const isOpen = lease.backend.transactionStatus !== "I";
      const changes = isSame(settings, this.#settings) ? Taint.None : Taint.Settings;
      const left = this.#taint | changes | (isOpen ? Taint.State : Taint.None);
      if (left !== Taint.None) {
        lease.taint(left);
      }
      await lease.release();
    }
    this.#end();
  }

  /** Ends the reservation and its backend. Resolves when the socket is closed; never rejects. */
  async discard(reason: unknown): Promise<void> {
    const lease = this.#beginToEnd();
    if (lease !== undefined) {
      lease.discard(reason);
      await lease.backend.closed;
    }
    this.#end();
  }

  #beginToEnd(): Lease | undefined {
    const state = this.#state;
    if (state.type === "ending" || state.type === "ended") {
      return undefined;
    }
    this.#taint |= taintOf(this.reasons.everHeld);
    this.transactionEnded("abort");
    if (state.type === "held") {
      state.lease.statements.rejoin();
    }
    this.reasons.clear();
    this.#state = { type: "ending" };
    this.turns.close(() => reservationLostError(this.id));
    this.#options.onEnding(this);
    return state.type === "held" ? state.lease : undefined;
  }

  #end(): void {
    if (this.#state.type === "ending") {
      this.#state = { type: "ended" };
      this.#options.onEnded(this);
    }
  }

  /** The backend has ended. A request that runs ends with it. */
  #lost(end: BackendEnd): void {
    this.#isLost = true;
    if (!this.turns.isTaken) {
      void this.discard(end.type === "lost" ? end.error : undefined);
    }
  }
}

/** What they leave is known from the texts of the statements. */
const JUDGED_REASONS = ReservationReason.Transaction | ReservationReason.Copy;

/** What is left of reasons, whatever the texts of the statements told. */
function taintOf(reasons: number): TaintSet {
  if ((reasons & ReservationReason.LogicalReplication) !== 0) {
    return Taint.Unknown | Taint.Lasting;
  }
  return (reasons & ~JUDGED_REASONS) === 0 ? Taint.None : Taint.Unknown;
}

function withdrawn(error: MultiPoolerError): HeldEnd {
  return {
    fate: "withdrawn",
    error,
    transactionStatus: "I",
    settingsReported: false,
    isSuspended: false,
    hasCommitted: false,
  };
}

function isSame(one: Settings, other: Settings): boolean {
  return (
    one.size === other.size &&
    [...one].every(([name, value]) => other.get(name.toLowerCase()) === value)
  );
}
