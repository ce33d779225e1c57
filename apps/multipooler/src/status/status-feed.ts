import type { ServerResponse } from "node:http";
import type { WorkSample } from "@multipooler/status-page";
import { PeriodicTask } from "@multipooler/timing";
import type { Clock, Timer } from "@multipooler/timing";
import { EventSubscriber } from "./event-subscriber.ts";

const PERIOD_MS = 1000;
/** As many seconds as the page shows. */
const MAX_SAMPLES = 180;
/** Changes of the status within it are told together. */
const CHANGE_DELAY_MS = 100;

export interface StatusFeedOptions {
  /** What was done since the last call. */
  readonly sample: () => WorkSample;
  /** What browsers get. */
  readonly report: (sample: WorkSample) => object;
  /** Calls the listener after each change, until what it returns is called. */
  readonly watchStatus: (listener: () => void) => () => void;
  readonly maxSubscribers: number;
  /** Called when there is a subscriber more. */
  readonly onSubscribed: () => void;
  readonly clock: Clock;
}

/**
 * Looks at the pooler each second, remembers three minutes of its work, and tells browsers: the
 * samples that it has, then a report each second and at each change of the status.
 */
export class StatusFeed {
  readonly #options: StatusFeedOptions;
  readonly #task: PeriodicTask;
  readonly #subscribers = new Set<EventSubscriber>();
  #samples: readonly WorkSample[] = [];
  #change: Timer | undefined;
  #unwatch: (() => void) | undefined;
  #isClosed = false;

  constructor(options: StatusFeedOptions) {
    this.#options = options;
    this.#task = new PeriodicTask({
      clock: options.clock,
      run: () => {
        this.#look();
        return Promise.resolve(PERIOD_MS);
      },
    });
  }

  get isWatched(): boolean {
    return this.#subscribers.size > 0;
  }

  open(): void {
    this.#task.open();
    this.#unwatch = this.#options.watchStatus(() => this.#noteChange());
  }

  /** The report of now, with the last sample. */
  report(): object {
    return this.#options.report(this.#lastSample());
  }

  /** Sends events until the client leaves or is too slow. False where there are too many already. */
  subscribe(response: ServerResponse): boolean {
    const { maxSubscribers, clock } = this.#options;
    if (this.#isClosed || this.#subscribers.size >= maxSubscribers) {
      return false;
    }
    const onGone = (gone: EventSubscriber): void => void this.#subscribers.delete(gone);
    const subscriber = new EventSubscriber({ response, clock, onGone });
    this.#subscribers.add(subscriber);
    this.#options.onSubscribed();
    subscriber.send("history", JSON.stringify(this.#samples));
    subscriber.send("status", JSON.stringify(this.report()));
    return true;
  }

  /** Ends every subscription. Idempotent; there is no way back. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#unwatch?.();
    this.#unwatch = undefined;
    this.#change?.cancel();
    this.#change = undefined;
    for (const subscriber of this.#subscribers) {
      subscriber.close();
    }
    this.#subscribers.clear();
    await this.#task.close();
  }

  #look(): void {
    this.#samples = [...this.#samples, this.#options.sample()].slice(-MAX_SAMPLES);
    this.#tell();
  }

  #noteChange(): void {
    if (this.isWatched) {
      this.#change ??= this.#options.clock.setTimer(() => {
        this.#change = undefined;
        this.#tell();
      }, CHANGE_DELAY_MS);
    }
  }

  #tell(): void {
    if (!this.isWatched) {
      return;
    }
    const json = JSON.stringify(this.report());
    for (const subscriber of this.#subscribers) {
      subscriber.send("status", json);
    }
  }

  #lastSample(): WorkSample {
    return this.#samples.at(-1) ?? this.#options.sample();
  }
}
