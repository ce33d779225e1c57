import { constants } from "node:http2";
import type { Clock, Timer } from "@multipooler/timing";

/** The connection, as `node:http2` has it. */
export interface KeptSession {
  readonly destroyed: boolean;
  ping(onPong: (error: Error | null) => void): boolean;
  goaway(code: number, lastStreamId: number, data: Buffer): void;
  close(): void;
  destroy(): void;
  once(event: "close", listener: () => void): unknown;
}

/** How long a connection is kept. */
export interface ConnectionTimes {
  /** Between two questions whether the client is there. */
  readonly keepaliveIntervalMs: number;
  /** How long it may take to answer one. */
  readonly keepaliveTimeoutMs: number;
  /** After about this time the client is asked to connect again; `undefined`: never. */
  readonly maxAgeMs: number | undefined;
  /** How long calls may go on after that; `undefined`: for ever. */
  readonly maxAgeGraceMs: number | undefined;
}

/** By this share the ages of connections differ, so that not all clients connect again together. */
const AGE_JITTER = 0.1;
/** What GOAWAY says of the streams that are still answered: all. */
const LAST_STREAM_ID = 2 ** 31 - 1;
const AGE_REASON = Buffer.from("max_age");

/**
 * Keeps one connection for as long as its client answers PINGs and it is not too old:
 *
 * | when                        | happens                                                          |
 * | --------------------------- | ---------------------------------------------------------------- |
 * | the interval has passed     | PING                                                             |
 * | no answer within the timeout | the connection is cut                                           |
 * | the age is reached          | GOAWAY: the client connects again, calls go on until the grace ends |
 */
export class Http2Connection {
  readonly #session: KeptSession;
  readonly #times: ConnectionTimes;
  readonly #clock: Clock;
  #pingTimer: Timer;
  #ageTimer: Timer | undefined;

  constructor(options: {
    readonly session: KeptSession;
    readonly times: ConnectionTimes;
    readonly clock: Clock;
    readonly random: () => number;
  }) {
    const { session, times, clock, random } = options;
    this.#session = session;
    this.#times = times;
    this.#clock = clock;
    this.#pingTimer = clock.setTimer(this.#ping, times.keepaliveIntervalMs);
    if (times.maxAgeMs !== undefined) {
      const ageMs = times.maxAgeMs * (1 - AGE_JITTER + 2 * AGE_JITTER * random());
      this.#ageTimer = clock.setTimer(this.#retire, ageMs);
    }
    session.once("close", () => this.#stop());
  }

  /** Takes no more calls and ends when those that run have ended. */
  close(): void {
    this.#session.close();
  }

  readonly #ping = (): void => {
    const { keepaliveIntervalMs, keepaliveTimeoutMs } = this.#times;
    const session = this.#session;
    if (session.destroyed) {
      return;
    }
    this.#pingTimer = this.#clock.setTimer(() => session.destroy(), keepaliveTimeoutMs);
    const isSent = session.ping((error) => {
      this.#pingTimer.cancel();
      if (error === null) {
        this.#pingTimer = this.#clock.setTimer(this.#ping, keepaliveIntervalMs);
      } else {
        session.destroy();
      }
    });
    if (!isSent) {
      session.destroy();
    }
  };

  readonly #retire = (): void => {
    const { maxAgeGraceMs } = this.#times;
    const session = this.#session;
    if (session.destroyed) {
      return;
    }
    session.goaway(constants.NGHTTP2_NO_ERROR, LAST_STREAM_ID, AGE_REASON);
    session.close();
    if (maxAgeGraceMs !== undefined) {
      this.#ageTimer = this.#clock.setTimer(() => session.destroy(), maxAgeGraceMs);
    }
  };

  #stop(): void {
    this.#pingTimer.cancel();
    this.#ageTimer?.cancel();
  }
}
