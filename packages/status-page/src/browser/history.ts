import type { WorkSample } from "../report.ts";

/** Seconds that the charts show. */
export const SPAN_SECONDS = 180;

/** The samples of the last minutes, oldest first. */
export class History {
  #samples: readonly WorkSample[] = [];

  get samples(): readonly WorkSample[] {
    return this.#samples;
  }

  /** Begins with what the pooler remembers. */
  replace(samples: readonly WorkSample[]): void {
    this.#samples = samples.slice(-SPAN_SECONDS);
  }

  /** A sample that comes a second time, as with a change of the status, counts once. */
  add(sample: WorkSample): void {
    const last = this.#samples.at(-1);
    if (last === undefined || sample.atMs > last.atMs) {
      this.#samples = [...this.#samples, sample].slice(-SPAN_SECONDS);
    }
  }
}
