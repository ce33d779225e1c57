import { PoolerErrorCode, ReservationReason } from "@multipooler/query-service";
import type { Reservation } from "@multipooler/query-service";
import { orAborted } from "./abort-race.ts";
import type { GateEntry } from "./mock-gate.ts";
import { MockControllerError, reservationLost } from "./mock-controller-error.ts";

/** A backend that does not exist, held by one caller. Its requests run one after the other. */
export class MockReservation implements GateEntry {
  readonly id: bigint;
  readonly #onEnd: (reservation: MockReservation) => void;
  readonly #abort = new AbortController();
  #lastTurn: Promise<unknown> = Promise.resolve();
  /** {@link ReservationReason} bits; a reservation without any ends after the request that runs. */
  reasons: number;

  constructor(options: {
    readonly id: bigint;
    readonly reasons: number;
    readonly onEnd: (reservation: MockReservation) => void;
  }) {
    this.id = options.id;
    this.reasons = options.reasons;
    this.#onEnd = options.onEnd;
  }

  /** What the caller holds; `undefined` after the end. */
  get held(): Reservation | undefined {
    if (this.#abort.signal.aborted || this.reasons === 0) {
      return undefined;
    }
    return { id: this.id, reasons: this.reasons, backendProcessId: Number(this.id) };
  }

  get hasTransaction(): boolean {
    return (this.reasons & ReservationReason.Transaction) !== 0;
  }

  /**
   * Runs `work` after what was asked for before. Its signal aborts when the reservation is ended.
   * Rejects with RESERVATION_LOST if that was before its turn.
   */
  async inTurn<T>(
    work: (signal: AbortSignal) => Promise<T>,
    signal: AbortSignal | undefined,
  ): Promise<T> {
    const before = this.#lastTurn;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#lastTurn = before.then(() => promise);
    try {
      await orAborted(before, signal);
      if (this.held === undefined) {
        throw reservationLost(this.id);
      }
      return await work(this.#abort.signal);
    } finally {
      resolve();
      if (this.reasons === 0) {
        this.cut(reservationLost(this.id));
      }
    }
  }

  /** Ends it: what runs is aborted with the reason, what waits is refused. */
  cut(reason: MockControllerError): void {
    if (this.#abort.signal.aborted) {
      return;
    }
    this.#abort.abort(reason);
    void this.#lastTurn.then(() => this.#onEnd(this));
  }

  /** Ends it for a caller who gives it up. Resolves when nothing runs in it. */
  async release(): Promise<void> {
    this.cut(new MockControllerError(PoolerErrorCode.Cancelled, "the reservation was released"));
    await this.#lastTurn;
  }
}

/** The reservations of a mock, by id. An id is not used twice. */
export class MockReservations {
  readonly #byId = new Map<bigint, MockReservation>();
  #lastId = 0n;

  /** A reservation that counts from {@link MockReservations.add} on. */
  create(reasons: number, onEnd: (reservation: MockReservation) => void): MockReservation {
    this.#lastId += 1n;
    return new MockReservation({
      id: this.#lastId,
      reasons,
      onEnd: (reservation) => {
        this.#byId.delete(reservation.id);
        onEnd(reservation);
      },
    });
  }

  add(reservation: MockReservation): void {
    this.#byId.set(reservation.id, reservation);
  }

  find(id: bigint): MockReservation | undefined {
    return this.#byId.get(id);
  }

  /** @throws RESERVATION_LOST */
  get(id: bigint): MockReservation {
    const found = this.#byId.get(id);
    if (found?.held === undefined) {
      throw reservationLost(id);
    }
    return found;
  }
}
