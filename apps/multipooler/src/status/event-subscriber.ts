import type { ServerResponse } from "node:http";
import type { Clock } from "@multipooler/timing";

/** How long a browser may leave unread what was sent. */
const MAX_BEHIND_MS = 15_000;
/** How soon a browser connects again. */
const RETRY_MS = 2000;

export interface EventSubscriberOptions {
  readonly response: ServerResponse;
  readonly clock: Clock;
  /** Called once, when its connection is gone. */
  readonly onGone: (subscriber: EventSubscriber) => void;
}

/**
 * A browser that gets server-sent events. One that is behind misses events: each tells the whole state.
 * One that stays behind is cut off.
 */
export class EventSubscriber {
  readonly #response: ServerResponse;
  readonly #clock: Clock;
  #behindSinceMs: number | undefined;

  constructor({ response, clock, onGone }: EventSubscriberOptions) {
    this.#response = response;
    this.#clock = clock;
    response.on("drain", () => {
      this.#behindSinceMs = undefined;
    });
    response.on("error", () => undefined);
    response.once("close", () => onGone(this));
    response.writeHead(200, {
      "content-type": "text/event-stream; charset=utf-8",
      "cache-control": "no-store",
      // Proxies that buffer would hold events back.
      "x-accel-buffering": "no",
    });
    response.write(`retry: ${RETRY_MS}\n\n`);
  }

  /** @param json without line breaks */
  send(event: string, json: string): void {
    const nowMs = this.#clock.monotonic();
    if (this.#behindSinceMs === undefined) {
      const fits = this.#response.write(`event: ${event}\ndata: ${json}\n\n`);
      this.#behindSinceMs = fits ? undefined : nowMs;
    } else if (nowMs - this.#behindSinceMs > MAX_BEHIND_MS) {
      this.#response.destroy();
    }
  }

  close(): void {
    this.#response.destroy();
  }
}
