import { PoolerRole, ServingStatus } from "@multipooler/controller-api";
import type { ServingState, ServingTarget } from "@multipooler/controller-api";
import { PoolerErrorCode } from "@multipooler/query-service";
import type { QueryMode } from "@multipooler/query-service";
import { orAborted } from "./abort-race.ts";
import { isServing, refusal } from "./admission.ts";
import type { GatePhase, RequestKind } from "./admission.ts";
import { MockControllerError, abortError, databaseError } from "./mock-controller-error.ts";

const CLOSED: ServingTarget = {
  status: ServingStatus.NotServing,
  role: PoolerRole.Replica,
  reason: "the controller is not open",
};

/** Something that was admitted, until it leaves. */
export interface GateEntry {
  /** Ends it soon; it leaves by itself. */
  cut(reason: MockControllerError): void;
}

export interface MockGateOptions {
  /** How long leaving a serving status waits for what runs; 0: without bound. */
  readonly drainGraceMs: number;
  readonly isOpen: () => boolean;
  /** Runs at the start of each transition that drains or enters a status. What it throws fails that. */
  readonly begin: (
    target: ServingTarget,
    signal: AbortSignal | undefined,
  ) => Promise<void> | undefined;
}

/** Decides what a mock admits, and brings it from one target to the next, one at a time. */
export class MockGate {
  readonly #options: MockGateOptions;
  readonly #entries = new Map<GateEntry, RequestKind>();
  readonly #watchers = new Set<() => void>();
  #current = CLOSED;
  #wanted: ServingTarget | undefined;
  #phase: GatePhase = "settled";
  /** What was being left by a transition that was aborted, until another one begins. */
  #abandoned: ServingTarget | undefined;
  /** Aborts the transition under way when it is reversed. */
  #reversal: AbortController | undefined;
  /** Settles when the transitions that were asked for so far have ended, if any is under way. */
  #lastTurn: Promise<void> | undefined;
  /** How many transitions are under way or wait. */
  #turns = 0;

  constructor(options: MockGateOptions) {
    this.#options = options;
  }

  get state(): ServingState {
    return { current: this.#current, wanted: this.#wanted };
  }

  get isServing(): boolean {
    return this.#wanted === undefined && isServing(this.#current);
  }

  /** How many requests and reservations are inside. */
  get size(): number {
    return this.#entries.size;
  }

  /** @throws NOT_SERVING */
  enter(request: { readonly kind: RequestKind; readonly mode: QueryMode }, entry: GateEntry): void {
    const error = refusal(request, { phase: this.#phase, current: this.#current });
    if (error !== undefined) {
      throw error;
    }
    this.#entries.set(entry, request.kind);
  }

  leave(entry: GateEntry): void {
    this.#entries.delete(entry);
    this.#notify();
  }

  /** See `PoolerController.setServingType`. */
  async setTarget(target: ServingTarget, signal: AbortSignal | undefined): Promise<void> {
    if (signal?.aborted === true) {
      throw abortError(signal);
    }
    if (!this.#reverse(target)) {
      await this.#inTurn(() => this.#transition(target, signal), signal);
    }
  }

  /** Cuts what runs, and resolves when nothing does. */
  async close(): Promise<void> {
    this.#phase = "closing";
    this.#wanted = CLOSED;
    this.#cutAll(new MockControllerError(PoolerErrorCode.NotOpen, "the controller closes"));
    await this.#inTurn(async () => {
      await this.#until(() => this.#entries.size === 0);
      this.#settle(CLOSED);
    });
  }

  /** Begins before it returns, unless an earlier turn is under way. */
  async #inTurn(work: () => Promise<void>, signal?: AbortSignal): Promise<void> {
    const before = this.#lastTurn;
    const { promise, resolve } = Promise.withResolvers<void>();
    const ended = before === undefined ? promise : before.then(() => promise);
    this.#lastTurn = ended;
    this.#turns += 1;
    void ended.then(() => {
      if (this.#lastTurn === ended) {
        this.#lastTurn = undefined;
      }
    });
    try {
      if (before !== undefined) {
        await orAborted(before, signal);
      }
      await work();
    } finally {
      this.#turns -= 1;
      resolve();
    }
  }

  /** Goes back to what is being left, unless something else is to come first. Returns whether it has. */
  #reverse(target: ServingTarget): boolean {
    const reversal = this.#reversal;
    if (reversal === undefined || this.#turns > 1 || this.#phase === "closing") {
      return false;
    }
    if (!holds(this.#current, target)) {
      return false;
    }
    this.#requireOpen(target);
    this.#reversal = undefined;
    const message = "the change was reversed while it drained";
    reversal.abort(new MockControllerError(PoolerErrorCode.Cancelled, message));
    this.#settle(target);
    return true;
  }

  async #transition(target: ServingTarget, signal: AbortSignal | undefined): Promise<void> {
    this.#requireOpen(target);
    if (this.#isHeldBy(target)) {
      this.#settleUnlessClosing(target);
      return;
    }
    this.#abandoned = undefined;
    if (this.#phase !== "closing") {
      this.#wanted = target;
    }
    this.#advance("draining reserved");
    const reversal = new AbortController();
    this.#reversal = reversal;
    const either =
      signal === undefined ? reversal.signal : AbortSignal.any([signal, reversal.signal]);
    try {
      await this.#leave(target, either);
      reversal.signal.throwIfAborted();
      this.#requireOpen(target);
    } catch (error) {
      if (!reversal.signal.aborted) {
        this.#abandon(target);
      }
      throw error;
    } finally {
      if (this.#reversal === reversal) {
        this.#reversal = undefined;
      }
    }
    this.#settleUnlessClosing(target);
  }

  async #leave(target: ServingTarget, signal: AbortSignal): Promise<void> {
    const begun = this.#options.begin(target, signal);
    if (begun !== undefined) {
      await orAborted(begun, signal);
    }
    if (this.#entries.size > 0) {
      await this.#drain(signal);
    }
  }

  /** Whether a target asks for nothing but another reason or term, or for what was being left. */
  #isHeldBy(target: ServingTarget): boolean {
    return holds(this.#abandoned ?? this.#current, target);
  }

  /** Both stages under one deadline. */
  async #drain(signal: AbortSignal): Promise<void> {
    const { drainGraceMs } = this.#options;
    const cut = (): void => {
      this.#advance("draining all");
      this.#cutAll(databaseError("40001", "ended because the mock stops serving; please retry"));
    };
    const timer = drainGraceMs > 0 ? setTimeout(cut, drainGraceMs) : undefined;
    try {
      await orAborted(
        this.#until(() => this.#reserved === 0),
        signal,
      );
      if (signal.aborted) {
        throw abortError(signal);
      }
      this.#advance("draining all");
      await orAborted(
        this.#until(() => this.#entries.size === 0),
        signal,
      );
    } finally {
      clearTimeout(timer);
    }
  }

  get #reserved(): number {
    return [...this.#entries.values()].filter((kind) => kind === "reservation").length;
  }

  #cutAll(reason: MockControllerError): void {
    for (const entry of this.#entries.keys()) {
      entry.cut(reason);
    }
  }

  /** Closing overtakes a drain: its phase is not left before its end. */
  #advance(phase: GatePhase): void {
    if (this.#phase !== "closing") {
      this.#phase = phase;
    }
  }

  #settle(target: ServingTarget): void {
    this.#current = target;
    this.#wanted = undefined;
    this.#phase = "settled";
    this.#abandoned = undefined;
  }

  #settleUnlessClosing(target: ServingTarget): void {
    if (this.#phase !== "closing") {
      this.#settle(target);
    }
  }

  /** Admits nothing any more, with the old role, until another transition succeeds. */
  #abandon({ status }: ServingTarget): void {
    if (this.#phase === "closing") {
      return;
    }
    const left = this.#current;
    this.#settle({
      ...left,
      status: ServingStatus.NotServing,
      reason: `the change to ${status} did not complete`,
    });
    this.#abandoned = isServing(left) ? left : undefined;
  }

  #requireOpen(target: ServingTarget): void {
    if (isServing(target) && !this.#options.isOpen()) {
      const message = `the controller is not open, and cannot become ${target.status}`;
      throw new MockControllerError(PoolerErrorCode.NotOpen, message);
    }
  }

  async #until(isTrue: () => boolean): Promise<void> {
    while (!isTrue()) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#watchers.add(resolve);
      await promise;
    }
  }

  #notify(): void {
    for (const wake of this.#watchers) {
      wake();
    }
    this.#watchers.clear();
  }
}

function holds(held: ServingTarget, { status, role, inRecovery = false }: ServingTarget): boolean {
  const isSame = held.status === status && held.role === role;
  return isServing(held) && isSame && (held.inRecovery ?? false) === inRecovery;
}
