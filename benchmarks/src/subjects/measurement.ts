import { PerformanceObserver } from "node:perf_hooks";
import type { PerformanceEntry } from "node:perf_hooks";

/** What a process spent. */
export interface Spent {
  readonly cpuUs: number;
  /** Heap and buffers; unknown when garbage was collected meanwhile. */
  readonly bytes: number | undefined;
}

/** What is measured; all that is garbage before the bytes are counted is collected first. */
export type Measured = "cpu" | "bytes";

/** Measures what this process spends from its construction to {@link end}. */
export class Measurement {
  readonly #collections: PerformanceObserver;
  readonly #startedAt: number;
  readonly #bytes: number;
  readonly #cpu: NodeJS.CpuUsage;
  #hasCollected = false;

  constructor(what: Measured) {
    if (what === "bytes") {
      // Only there with --expose-gc, with which subjects are started. Buffers that the first one finds
      // dead are freed by the second.
      globalThis.gc?.();
      globalThis.gc?.();
    }
    this.#startedAt = performance.now();
    this.#collections = new PerformanceObserver((list) => this.#note(list.getEntries()));
    this.#collections.observe({ entryTypes: ["gc"] });
    this.#bytes = allocated();
    this.#cpu = process.cpuUsage();
  }

  end(): Spent {
    const { user, system } = process.cpuUsage(this.#cpu);
    const bytes = allocated() - this.#bytes;
    this.#note(this.#collections.takeRecords());
    this.#collections.disconnect();
    return { cpuUs: user + system, bytes: this.#hasCollected ? undefined : bytes };
  }

  #note(entries: readonly PerformanceEntry[]): void {
    // The collection before the start is reported after it.
    this.#hasCollected ||= entries.some(({ startTime }) => startTime >= this.#startedAt);
  }
}

function allocated(): number {
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}
