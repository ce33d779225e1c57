import { PoolerErrorCode, PoolerRole, QueryMode, ServingStatus } from "@multipooler/controller-api";
import type { ServingState, ServingTarget } from "@multipooler/controller-api";
import type { Clock, Timer } from "@multipooler/timing";
import { untilAborted } from "./abort.ts";
import { Admission } from "./admission.ts";
import { MultiPoolerError, abortError } from "./error.ts";
import type { Logger } from "./logger.ts";

const CLOSED: ServingTarget = {
  status: ServingStatus.NotServing,
  role: PoolerRole.Replica,
  reason: "the controller is not open",
};

/** How a {@link ServingGate} is set up. */
export interface ServingGateOptions {
  /** How long leaving a serving status waits for what runs, in both stages; 0: without bound. */
  readonly drainGraceMs: number;
  /** Whether anything can be served now. */
  readonly isOpen: () => boolean;
  /** Called between the drain of one status and the start of a serving one. */
  readonly prepare: (target: ServingTarget) => void;
  readonly clock: Clock;
  readonly logger: Logger;
}

/**
 * Decides what is admitted, and brings the serving status from one target to the next.
 *
 * | state                     | `current` | `wanted` | admits                                  |
 * | ------------------------- | --------- | -------- | --------------------------------------- |
 * | settled, serving          | target    | none     | what the status and the role allow      |
 * | settled, not serving      | target    | none     | nothing                                 |
 * | draining (one under way)  | old       | new      | nothing; what was admitted runs on      |
 *
 * A drain has two stages under one deadline: first until no reservation is left, while single
 * queries are still admitted; then until nothing runs. There are no reservations yet, so that the
 * first stage is over when it begins and a drain is the second one only. At the deadline what
 * still runs is cut, and the drain ends when it has ended: a status is never left behind while a
 * write that it allowed is under way.
 */
export class ServingGate {
  readonly #options: ServingGateOptions;
  readonly #admitted = new Set<Admission>();
  #state: ServingState = { current: CLOSED, wanted: undefined };
  /** Resolves when the transitions that were asked for so far have ended, if any is under way. */
  #lastTurn: Promise<void> | undefined;
  #drained: PromiseWithResolvers<void> | undefined;

  constructor(options: ServingGateOptions) {
    this.#options = options;
  }

  get state(): ServingState {
    return this.#state;
  }

  get isServing(): boolean {
    return this.#state.wanted === undefined && isServingStatus(this.#state.current.status);
  }

  /**
   * Admits one request, until what it returns is disposed of.
   *
   * @throws NOT_SERVING if the status or, for this mode, the role does not allow it; CANCELLED or
   * DEADLINE_EXCEEDED if the signal has aborted.
   */
  admit(mode: QueryMode, signal: AbortSignal | undefined): Admission {
    if (signal?.aborted === true) {
      throw abortError(signal);
    }
    const { current, wanted } = this.#state;
    if (wanted !== undefined) {
      throw leavingError(wanted);
    }
    if (!isServingStatus(current.status)) {
      throw notServingError(current);
    }
    if (needsPrimary(mode) && current.role !== PoolerRole.Primary) {
      throw new MultiPoolerError(
        PoolerErrorCode.NotServing,
        `a ${mode} query needs the primary, and this pooler is a replica; retry on the primary`,
      );
    }
    const admission = new Admission({
      isReadOnly: current.status === ServingStatus.ServingReadOnly,
      signal,
      onEnd: (ended) => this.#onEnd(ended),
    });
    this.#admitted.add(admission);
    return admission;
  }

  /** See `PoolerController.setServingType`. */
  async setTarget(target: ServingTarget, signal: AbortSignal | undefined): Promise<void> {
    await this.#inTurn(() => this.#transition(target, signal), signal);
  }

  /** Cuts what runs, admits nothing any more, and resolves when nothing runs. */
  async close(): Promise<void> {
    this.#state = { current: this.#state.current, wanted: CLOSED };
    this.#cut(new MultiPoolerError(PoolerErrorCode.NotOpen, "the controller closes"));
    await this.#inTurn(async () => {
      await this.#whenDrained();
      this.#state = { current: CLOSED, wanted: undefined };
    });
  }

  /** Begins before it returns, unless an earlier turn is under way. */
  async #inTurn(work: () => Promise<void>, signal?: AbortSignal): Promise<void> {
    if (signal?.aborted === true) {
      throw abortError(signal);
    }
    const before = this.#lastTurn;
    const turn = Promise.withResolvers<void>();
    const ended = before === undefined ? turn.promise : before.then(() => turn.promise);
    this.#lastTurn = ended;
    void ended.then(() => {
      if (this.#lastTurn === ended) {
        this.#lastTurn = undefined;
      }
    });
    try {
      if (before !== undefined) {
        await untilAborted(before, signal);
      }
      await work();
    } finally {
      turn.resolve();
    }
  }

  async #transition(target: ServingTarget, signal: AbortSignal | undefined): Promise<void> {
    const { current } = this.#state;
    const becomesServing = isServingStatus(target.status);
    if (becomesServing) {
      this.#requireOpen(target);
    }
    if (becomesServing && target.status === current.status && target.role === current.role) {
      this.#state = { current: target, wanted: undefined };
      return;
    }
    const startedAt = this.#options.clock.monotonic();
    this.#state = { current, wanted: target };
    try {
      await this.#drain(target, signal);
      if (becomesServing) {
        // It may have been closed during the drain.
        this.#requireOpen(target);
        this.#options.prepare(target);
      }
    } catch (error) {
      this.#state = { current: stoppedTarget(current, target), wanted: undefined };
      throw error;
    }
    this.#state = { current: target, wanted: undefined };
    this.#options.logger.info(
      {
        from: `${current.status} ${current.role}`,
        to: `${target.status} ${target.role}`,
        reason: target.reason,
        durationMs: Math.round(this.#options.clock.monotonic() - startedAt),
      },
      "serving status changed",
    );
  }

  #requireOpen(target: ServingTarget): void {
    if (this.#options.isOpen()) {
      return;
    }
    const message = `the controller is not open, and cannot become ${target.status}`;
    throw new MultiPoolerError(PoolerErrorCode.NotOpen, message);
  }

  async #drain(target: ServingTarget, signal: AbortSignal | undefined): Promise<void> {
    const { drainGraceMs, clock, logger } = this.#options;
    let timer: Timer | undefined;
    if (drainGraceMs > 0 && this.#admitted.size > 0) {
      timer = clock.setTimer(() => {
        logger.warn({ running: this.#admitted.size, drainGraceMs }, "cutting what still runs");
        this.#cut(leavingError(target));
      }, drainGraceMs);
    }
    try {
      await untilAborted(this.#whenDrained(), signal);
    } finally {
      timer?.cancel();
    }
  }

  async #whenDrained(): Promise<void> {
    if (this.#admitted.size === 0) {
      return;
    }
    this.#drained ??= Promise.withResolvers();
    await this.#drained.promise;
  }

  #onEnd(admission: Admission): void {
    this.#admitted.delete(admission);
    if (this.#admitted.size > 0) {
      return;
    }
    this.#drained?.resolve();
    this.#drained = undefined;
  }

  #cut(reason: MultiPoolerError): void {
    for (const admission of this.#admitted) {
      admission.cut(reason);
    }
  }
}

function isServingStatus(status: ServingStatus): boolean {
  switch (status) {
    case ServingStatus.Serving:
    case ServingStatus.ServingReadOnly:
      return true;
    case ServingStatus.Drained:
    case ServingStatus.NotServing:
      return false;
  }
}

function needsPrimary(mode: QueryMode): boolean {
  switch (mode) {
    case QueryMode.Writable:
    case QueryMode.Consistent:
      return true;
    case QueryMode.Inconsistent:
    case QueryMode.Unspecified:
      return false;
  }
}

/** Where a transition that failed leaves the gate: with the old role, and admitting nothing. */
function stoppedTarget(current: ServingTarget, target: ServingTarget): ServingTarget {
  const reason = `the change to ${target.status} did not complete`;
  return { ...current, status: ServingStatus.NotServing, reason };
}

function notServingError({ status, reason }: ServingTarget): MultiPoolerError {
  return new MultiPoolerError(
    PoolerErrorCode.NotServing,
    `this pooler is ${status} (${reason}); retry, or ask another one`,
  );
}

function leavingError({ status, role, reason }: ServingTarget): MultiPoolerError {
  return new MultiPoolerError(
    PoolerErrorCode.NotServing,
    `this pooler is becoming ${status} ${role} (${reason}); retry, or ask another one`,
  );
}
