import type { ManagerStatus } from "@multipooler/manager";
import { StreamPoolerHealthResponse } from "@multipooler/proto/multipoolerservice";
import { onAbort, untilAborted } from "@multipooler/timing";
import type { Clock, Timer } from "@multipooler/timing";
import { GrpcServicesError, GrpcServicesErrorCode } from "../errors/error.ts";
import type { PoolerManager } from "../server/pooler-manager.ts";
import type { CallContext, MessageSink } from "../server/rpc.ts";
import { poolerHealthMessage } from "./pooler-health-message.ts";
import { Wakeup } from "./wakeup.ts";

/** Multigres' default: three heartbeats may be lost. */
export const DEFAULT_STALENESS_MS = 90_000;
/** A gateway learns at least this often that the pooler is alive, and its lag. */
const MAX_HEARTBEAT_MS = 30_000;
/** So that a gateway with a shorter patience survives a lost heartbeat, too. */
const HEARTBEATS_PER_STALENESS = 3;

export interface PoolerHealthOptions {
  readonly manager: Pick<PoolerManager, "status" | "watchStatus">;
  /** Without a message for this time a gateway takes the pooler for dead. */
  readonly stalenessMs: number;
  /** Aborts when the server begins to close; every stream ends then. */
  readonly closing: AbortSignal;
  readonly clock: Clock;
}

/** As many messages may wait for a reader. */
const MAX_WAITING = 20;

/** A message for every stream, encoded once for all of them. */
interface Current {
  readonly bytes: Uint8Array;
  /** The message without the lag, which changes with each look at it. */
  readonly state: string;
}

/** Exists while somebody watches. */
interface Watching {
  readonly unwatch: () => void;
  current: Current;
  timer: Timer;
}

/**
 * Streams the pooler's health to gateways: the state now, then each change of it, and a heartbeat.
 * A thousand streams cost one look at the status, one message and one timer. A reader gets every
 * message; the stream of one that is 20 messages behind ends with SUBSCRIBER_BEHIND.
 */
export class PoolerHealth {
  readonly #manager: PoolerHealthOptions["manager"];
  readonly #stalenessMs: number;
  readonly #closing: AbortSignal;
  readonly #clock: Clock;
  readonly #streams = new Set<Stream>();
  #watching: Watching | undefined;

  constructor({ manager, stalenessMs, closing, clock }: PoolerHealthOptions) {
    this.#manager = manager;
    this.#stalenessMs = stalenessMs;
    this.#closing = closing;
    this.#clock = clock;
  }

  /**
   * Writes encoded messages to `sink` until the call ends or the server closes. Rejects with
   * SUBSCRIBER_BEHIND.
   */
  async stream(sink: MessageSink<Uint8Array>, { signal }: CallContext): Promise<void> {
    const stream = new Stream();
    stream.push(this.#join(stream).current.bytes);
    const stopListening = [signal, this.#closing].map((ended) => onAbort(ended, stream.wake));
    try {
      while (!signal.aborted) {
        const bytes = stream.take();
        if (bytes !== undefined) {
          // A reader may never take the message that is being written. A race against a promise that
          // lives as long as the stream would keep a little of each message.
          await untilAborted(Promise.resolve(sink.write(bytes)), stream.overflow);
        } else if (this.#closing.aborted) {
          return;
        } else {
          await stream.wait();
        }
      }
    } finally {
      for (const stop of stopListening) {
        stop();
      }
      this.#leave(stream);
    }
  }

  #join(stream: Stream): Watching {
    this.#streams.add(stream);
    this.#watching ??= {
      unwatch: this.#manager.watchStatus((status) => this.#refresh(status, "if it changed")),
      current: this.#messageOf(this.#manager.status()),
      timer: this.#setTimer(),
    };
    return this.#watching;
  }

  #leave(stream: Stream): void {
    this.#streams.delete(stream);
    if (this.#streams.size === 0) {
      this.#watching?.unwatch();
      this.#watching?.timer.cancel();
      this.#watching = undefined;
    }
  }

  #refresh(status: ManagerStatus, send: "always" | "if it changed"): void {
    const watching = this.#watching;
    if (watching === undefined) {
      return;
    }
    const next = this.#messageOf(status);
    if (send === "if it changed" && next.state === watching.current.state) {
      return;
    }
    watching.current = next;
    for (const stream of this.#streams) {
      stream.push(next.bytes);
    }
  }

  #setTimer(): Timer {
    const intervalMs = Math.min(MAX_HEARTBEAT_MS, this.#stalenessMs / HEARTBEATS_PER_STALENESS);
    return this.#clock.setTimer(() => {
      this.#refresh(this.#manager.status(), "always");
      if (this.#watching !== undefined) {
        this.#watching.timer = this.#setTimer();
      }
    }, intervalMs);
  }

  #messageOf(status: ManagerStatus): Current {
    const message = poolerHealthMessage(status, this.#stalenessMs);
    const { servingStatus, routingState } = message;
    const rule = routingState?.rule;
    return {
      bytes: StreamPoolerHealthResponse.encode(message).finish(),
      state: `${servingStatus} ${routingState?.role} ${rule?.coordinatorTerm} ${rule?.leaderSubterm}`,
    };
  }
}

/** What one stream has still to send. */
class Stream extends Wakeup {
  readonly #overflow = new AbortController();
  readonly #waiting: Uint8Array[] = [];

  /** Aborts once the reader is too far behind, with the error for it. */
  get overflow(): AbortSignal {
    return this.#overflow.signal;
  }

  push(bytes: Uint8Array): void {
    if (this.#waiting.length === MAX_WAITING) {
      this.#overflow.abort(behindError());
      return;
    }
    this.#waiting.push(bytes);
    this.wake();
  }

  take(): Uint8Array | undefined {
    return this.#waiting.shift();
  }
}

function behindError(): GrpcServicesError {
  return new GrpcServicesError(
    GrpcServicesErrorCode.SubscriberBehind,
    `the reader of the health stream is ${MAX_WAITING} messages behind`,
  );
}
