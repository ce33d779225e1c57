import { systemClock } from "@multipooler/timing";
import type { Clock, Timer } from "@multipooler/timing";
import { GrpcServicesError, GrpcServicesErrorCode } from "../../errors/error.ts";

/** A request whose bytes arrive. */
export interface Receiver {
  /** Names the connection: those of several connections take turns. */
  readonly origin: string;
  /** Its turn has come: called once, for one that had to wait. */
  proceed(): void;
  /** It took too long and is not counted any more. */
  expire(): void;
}

/** Requests that have not reached their handler. */
export interface ReceivingCount {
  /** What those have that are read, by the lengths that they announced. */
  readonly bytes: number;
  /** Large ones that are not read until others are through. */
  readonly waiting: number;
  /** Turned away since the server listens, because too many were there already. */
  readonly refused: number;
}

export interface ReceivingLimits {
  /** What large requests may have together. */
  readonly limitBytes: number;
  /** How long a request may take to arrive once it is read. */
  readonly timeoutMs: number;
}

export interface ReceivingBytesOptions extends ReceivingLimits {
  readonly clock?: Clock | undefined;
}

/** Whether a request may be read: now, later, or not at all. */
export type Admission = "admitted" | "waits" | "refused";

/** A request of at most this size never waits: HTTP/2 lets a client send so much before it is read. */
const SMALL_REQUEST_BYTES = 65_536;
/** The least that small requests may have together, and the beginnings of those that wait: 1 MiB. */
const MIN_SIDE_BYTES = 1_048_576;
/** What one that waits has sent: the window of HTTP/2, and as much that Node reads ahead. */
const WAITING_BYTES = 131_072;

interface Held {
  readonly bytes: number;
  readonly since: number;
}

interface Waiting {
  readonly receiver: Receiver;
  readonly bytes: number;
}

/**
 * Bounds the memory of requests between their first byte and their handler, for all connections of
 * a server together.
 *
 * | request                 | is read                                                           |
 * | ----------------------- | ----------------------------------------------------------------- |
 * | up to 64 KiB            | at once; refused if such ones have half the limit already         |
 * | larger                  | when the larger ones together, it included, are within the limit  |
 * | larger, and has to wait | in its turn; refused if half the limit is taken by the beginnings of those that wait |
 *
 * So the sum is at most twice the limit. (Half the limit counts as 1 MiB at least.) One that is read has its bytes reserved as a whole, so
 * that it never waits for another in the middle. It gives them back within the timeout, whatever
 * its client does; therefore those that wait get their turn.
 */
export class ReceivingBytes {
  #limits: ReceivingLimits;
  readonly #clock: Clock;
  /** Those that are read, the longest first. */
  readonly #held = new Map<Receiver, Held>();
  /** Those that wait, by origin; the first origin is the next to be served. */
  readonly #queues = new Map<string, Waiting[]>();
  #smallBytes = 0;
  #largeBytes = 0;
  #waiting = 0;
  #refused = 0;
  #timer: Timer | undefined;

  constructor(options: ReceivingBytesOptions) {
    this.#limits = options;
    this.#clock = options.clock ?? systemClock;
  }

  get count(): ReceivingCount {
    return {
      bytes: this.#smallBytes + this.#largeBytes,
      waiting: this.#waiting,
      refused: this.#refused,
    };
  }

  /** @param bytes at most the limit; of a receiver that neither is read nor waits. */
  admit(receiver: Receiver, bytes: number): Admission {
    const admission = this.#decide(bytes);
    switch (admission) {
      case "admitted":
        this.#hold(receiver, bytes);
        break;
      case "waits":
        this.#enqueue({ receiver, bytes });
        break;
      case "refused":
        this.#refused += 1;
        break;
    }
    return admission;
  }

  /** The request has reached its handler, or is given up. Does nothing for one that is unknown. */
  release(receiver: Receiver): void {
    if (this.#drop(receiver) || (this.#waiting > 0 && this.#withdraw(receiver))) {
      this.#serve();
    }
  }

  /** Gives other limits, for those too that wait or are read. */
  change(limits: ReceivingLimits): void {
    this.#limits = limits;
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#expire();
  }

  /** Leaves no timer. */
  close(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #decide(bytes: number): Admission {
    const { limitBytes } = this.#limits;
    const sideBytes = Math.max(limitBytes / 2, MIN_SIDE_BYTES);
    if (bytes <= SMALL_REQUEST_BYTES) {
      return this.#smallBytes + bytes <= sideBytes ? "admitted" : "refused";
    }
    if (this.#waiting === 0 && this.#largeBytes + bytes <= limitBytes) {
      return "admitted";
    }
    return (this.#waiting + 1) * WAITING_BYTES <= sideBytes ? "waits" : "refused";
  }

  #hold(receiver: Receiver, bytes: number): void {
    this.#held.set(receiver, { bytes, since: this.#clock.monotonic() });
    this.#account(bytes, bytes);
    this.#timer ??= this.#clock.setTimer(this.#expire, this.#limits.timeoutMs);
  }

  #drop(receiver: Receiver): boolean {
    const held = this.#held.get(receiver);
    if (held === undefined) {
      return false;
    }
    this.#held.delete(receiver);
    this.#account(held.bytes, -held.bytes);
    return true;
  }

  #account(size: number, change: number): void {
    if (size <= SMALL_REQUEST_BYTES) {
      this.#smallBytes += change;
    } else {
      this.#largeBytes += change;
    }
  }

  #enqueue(waiting: Waiting): void {
    const { origin } = waiting.receiver;
    const queue = this.#queues.get(origin);
    if (queue === undefined) {
      this.#queues.set(origin, [waiting]);
    } else {
      queue.push(waiting);
    }
    this.#waiting += 1;
  }

  #withdraw(receiver: Receiver): boolean {
    const queue = this.#queues.get(receiver.origin);
    const index = queue?.findIndex((waiting) => waiting.receiver === receiver) ?? -1;
    if (queue === undefined || index < 0) {
      return false;
    }
    queue.splice(index, 1);
    this.#waiting -= 1;
    if (queue.length === 0) {
      this.#queues.delete(receiver.origin);
    }
    return true;
  }

  /** Lets those that wait in, one of each connection in turn, as long as the next one fits. */
  #serve(): void {
    for (const [origin, queue] of this.#queues) {
      const [next] = queue;
      if (next === undefined || this.#largeBytes + next.bytes > this.#limits.limitBytes) {
        return;
      }
      queue.shift();
      this.#waiting -= 1;
      this.#queues.delete(origin);
      if (queue.length > 0) {
        // Behind the others: the loop comes to it again.
        this.#queues.set(origin, queue);
      }
      this.#hold(next.receiver, next.bytes);
      next.receiver.proceed();
    }
  }

  readonly #expire = (): void => {
    this.#timer = undefined;
    const now = this.#clock.monotonic();
    for (const [receiver, { since }] of this.#held) {
      const leftMs = since + this.#limits.timeoutMs - now;
      if (leftMs > 0) {
        this.#timer = this.#clock.setTimer(this.#expire, leftMs);
        break;
      }
      this.#drop(receiver);
      receiver.expire();
    }
    this.#serve();
  };
}

/** @throws INVALID_ARGUMENT, naming the option, for a limit or a timeout that cannot be kept. */
export function checkReceivingLimits(limits: {
  readonly maxReceivingBytes: number;
  readonly maxMessageBytes: number;
  readonly receiveTimeoutMs: number;
}): void {
  const { maxReceivingBytes, maxMessageBytes, receiveTimeoutMs } = limits;
  if (!(Number.isSafeInteger(maxReceivingBytes) && maxReceivingBytes >= maxMessageBytes)) {
    throw new GrpcServicesError(
      GrpcServicesErrorCode.InvalidArgument,
      `maxReceivingBytes must be a whole number from ${maxMessageBytes}, the largest message, ` +
        `not ${maxReceivingBytes}`,
    );
  }
  if (!(receiveTimeoutMs > 0)) {
    throw new GrpcServicesError(
      GrpcServicesErrorCode.InvalidArgument,
      `receiveTimeoutMs must be above 0, not ${receiveTimeoutMs}`,
    );
  }
}
