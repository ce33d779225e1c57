import { Backoff, sleep } from "@multipooler/timing";
import type { Clock } from "@multipooler/timing";

export interface FollowOptions<Event> {
  readonly watch: (signal: AbortSignal) => AsyncIterable<Event>;
  readonly onEvent: (event: Event) => void;
  /** Called with the error that a watch ended with. */
  readonly onFailure: (error: unknown) => void;
  readonly clock: Clock;
  readonly random: () => number;
  readonly signal: AbortSignal;
}

/** Watches until the signal aborts: a watch that fails is begun again. */
export async function follow<Event>(options: FollowOptions<Event>): Promise<void> {
  const { watch, onEvent, onFailure, clock, random, signal } = options;
  const backoff = new Backoff({ minMs: 100, maxMs: 2000, random });
  while (!signal.aborted) {
    try {
      for await (const event of watch(signal)) {
        backoff.reset();
        onEvent(event);
      }
    } catch (error) {
      if (signal.aborted) {
        return;
      }
      onFailure(error);
    }
    await sleep(clock, backoff.nextMs(), signal);
  }
}
