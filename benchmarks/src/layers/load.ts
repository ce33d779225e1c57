import { percentile } from "../percentile.ts";
import type { CaseName, Statements } from "./statements.ts";

/** So many statements of one kind, so many callers at once. */
export interface Load {
  readonly caseName: CaseName;
  readonly callers: number;
  /** All callers together. */
  readonly statements: number;
}

/** How a load went, seen from the callers. */
export interface Latencies {
  readonly p50Us: number;
  readonly p99Us: number;
}

/** Runs one statement after the other. */
export type Caller<Form> = (statement: Form) => Promise<unknown>;

/** Runs `load`, each caller one statement at a time. `now` tells milliseconds. */
export async function runLoad<Form>(
  load: Load,
  statements: Statements<Form>,
  callers: readonly Caller<Form>[],
  now: () => number = () => performance.now(),
): Promise<Latencies> {
  const latencies = new Float64Array(load.statements);
  let next = 0;
  const work = async (call: Caller<Form>, caller: number): Promise<void> => {
    for (let n = 0; next < load.statements; n += 1) {
      const index = next;
      next += 1;
      const start = now();
      await call(statements.at(load.caseName, caller, n));
      latencies[index] = (now() - start) * 1000;
    }
  };
  await Promise.all(callers.slice(0, load.callers).map(work));
  latencies.sort();
  return { p50Us: percentile(latencies, 0.5), p99Us: percentile(latencies, 0.99) };
}
