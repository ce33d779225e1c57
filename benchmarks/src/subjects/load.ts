import { percentile } from "../percentile.ts";
import type { CaseName, Works } from "./work.ts";

/** So much work of one kind, so many callers at once. */
export interface Load {
  readonly caseName: CaseName;
  readonly callers: number;
  /** How often, by all callers together. */
  readonly times: number;
}

/** How a load went, seen from the callers. */
export interface Course {
  readonly elapsedMs: number;
  /** Latencies. */
  readonly p50Us: number;
  readonly p99Us: number;
}

/** Does one piece of work after the other. */
export type Caller<Form> = (work: Form) => Promise<unknown>;

/** Runs `load`, each caller one piece of work at a time. `now` tells milliseconds. */
export async function runLoad<Form>(
  load: Load,
  works: Works<Form>,
  callers: readonly Caller<Form>[],
  now: () => number = () => performance.now(),
): Promise<Course> {
  const latencies = new Float64Array(load.times);
  let next = 0;
  const work = async (call: Caller<Form>, caller: number): Promise<void> => {
    for (let n = 0; next < load.times; n += 1) {
      const index = next;
      next += 1;
      const start = now();
      await call(works.at(load.caseName, caller, n));
      latencies[index] = (now() - start) * 1000;
    }
  };
  const start = now();
  await Promise.all(callers.slice(0, load.callers).map(work));
  const elapsedMs = now() - start;
  latencies.sort();
  return { elapsedMs, p50Us: percentile(latencies, 0.5), p99Us: percentile(latencies, 0.99) };
}
