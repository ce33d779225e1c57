import type { Clock, Timer } from "@multipooler/timing";
import type { Logger } from "../logger.ts";
import type { ServingGate } from "../serving/serving-gate.ts";
import type { Identity } from "../pool/label.ts";
import { isSameKeys } from "../pool/scram-keys.ts";
import type { CallEngine } from "../execution/call.ts";
import type { PoolerEventListener } from "../pooler-event.ts";
import { reservationLostError } from "./reservation-error.ts";
import type { ReservationIds } from "./reservation-ids.ts";
import { reservationReport } from "./reservation-report.ts";
import type { ReservationReport } from "./reservation-report.ts";
import { ReservedBackend } from "./reserved-backend.ts";

/** How often in the time of the limit it is looked for reservations that nobody uses. */
const LOOKS_PER_LIMIT = 10;

export interface ReservationsOptions {
  readonly engine: CallEngine;
  readonly ids: ReservationIds;
  readonly gate: Pick<ServingGate, "leave">;
  /** A reservation in which nothing has run for so long is ended; 0 keeps it. */
  readonly inactivityTimeoutMs: number;
  readonly clock: Clock;
  /** Gets what seldom happens, for metrics. */
  readonly onEvent?: PoolerEventListener | undefined;
  readonly logger: Logger;
}

/**
 * The reservations of one pooler. One in which no statement runs is ended after a time: its caller
 * may be gone for good. One in which a statement runs is in use, however long that takes.
 */
export class Reservations {
  readonly #options: ReservationsOptions;
  readonly #byId = new Map<bigint, ReservedBackend>();
  #timer: Timer | undefined;

  constructor(options: ReservationsOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#byId.size;
  }

  /** All of them, for an operator. */
  reports(): ReservationReport[] {
    const now = this.#options.clock.monotonic();
    return [...this.#byId.values()].map((reserved) => reservationReport(reserved, now));
  }

  /** Ends one because an operator wants it. False: there is none of that id. */
  end(id: bigint): boolean {
    const reserved = this.#byId.get(id);
    reserved?.cut(reservationLostError(id));
    return reserved !== undefined;
  }

  /** A reservation without a backend yet, whose turn is the caller's. */
  create(identity: Identity): ReservedBackend {
    const { engine, ids, gate, onEvent } = this.#options;
    const reserved = new ReservedBackend({
      id: ids.next(),
      identity,
      engine,
      onTransactionEnded: (outcome, durationMs) =>
        onEvent?.({ type: "transactionEnded", outcome, durationMs }),
      onEnding: ({ id }) => this.#remove(id),
      onEnded: (ended) => gate.leave(ended),
    });
    void reserved.turns.take();
    this.#byId.set(reserved.id, reserved);
    this.#watch();
    return reserved;
  }

  /** @throws RESERVATION_LOST for an id that is not known, or was made by another user or with other keys */
  find(id: bigint, { user, keys }: Identity): ReservedBackend {
    const reserved = this.#byId.get(id);
    if (
      reserved === undefined ||
      reserved.identity.user !== user ||
      !isSameKeys(reserved.identity.keys, keys)
    ) {
      throw reservationLostError(id);
    }
    if (this.#isAbandoned(reserved)) {
      this.#end(reserved);
      throw reservationLostError(id);
    }
    return reserved;
  }

  #isAbandoned(reserved: ReservedBackend): boolean {
    const { inactivityTimeoutMs, clock } = this.#options;
    return inactivityTimeoutMs > 0 && reserved.idleMs(clock.monotonic()) >= inactivityTimeoutMs;
  }

  #end(reserved: ReservedBackend): void {
    const { inactivityTimeoutMs, logger } = this.#options;
    const { reservation, identity } = reserved;
    const message = "reservation ended: nothing ran in it for too long";
    logger.warn({ ...loggable(reservation), user: identity.user, inactivityTimeoutMs }, message);
    void reserved.discard(reservationLostError(reserved.id));
  }

  #remove(id: bigint): void {
    this.#byId.delete(id);
    if (this.#byId.size === 0) {
      this.#timer?.cancel();
      this.#timer = undefined;
    }
  }

  #watch(): void {
    const { inactivityTimeoutMs, clock } = this.#options;
    if (this.#timer === undefined && inactivityTimeoutMs > 0) {
      this.#timer = clock.setTimer(() => this.#look(), inactivityTimeoutMs / LOOKS_PER_LIMIT);
    }
  }

  #look(): void {
    this.#timer = undefined;
    for (const reserved of this.#byId.values()) {
      if (this.#isAbandoned(reserved)) {
        this.#end(reserved);
      }
    }
    if (this.#byId.size > 0) {
      this.#watch();
    }
  }
}

/** JSON has no bigint. */
function loggable(reservation: ReservedBackend["reservation"]): object {
  return { ...reservation, id: String(reservation?.id) };
}
