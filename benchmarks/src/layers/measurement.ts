/** What a process spent. */
export interface Spent {
  readonly cpuUs: number;
  /** Heap and buffers, allocated and not yet collected; meaningless after a collection. */
  readonly bytes: number;
}

/** Measures what this process spends from its construction to {@link end}. */
export class Measurement {
  readonly #bytes: number;
  readonly #cpu: NodeJS.CpuUsage;

  constructor() {
    // Only there with --expose-gc, with which subjects are started.
    globalThis.gc?.();
    this.#bytes = allocated();
    this.#cpu = process.cpuUsage();
  }

  end(): Spent {
    const { user, system } = process.cpuUsage(this.#cpu);
    return { cpuUs: user + system, bytes: allocated() - this.#bytes };
  }
}

function allocated(): number {
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}
