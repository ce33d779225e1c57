import { spreadOf } from "./spread.ts";
import type { Spread } from "./spread.ts";

/** One way to do the work that is compared. */
export interface Contender {
  /** Does the work `times` times, `concurrency` of them at once. */
  run(work: Workload): Promise<void>;
}

export interface Workload {
  readonly name: string;
  readonly sql: string;
  readonly concurrency: number;
  readonly times: number;
}

/**
 * How much faster the subject is than the reference: time of the reference divided by time of the
 * subject, per round. 1 is equal, 2 is twice as fast.
 */
export async function compare(
  subject: Contender,
  reference: Contender,
  work: Workload,
  rounds: number,
): Promise<Spread> {
  await subject.run(work);
  await reference.run(work);
  const ratios: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    // The second one finds warmer caches and a busier collector: take turns.
    const subjectFirst = round % 2 === 0;
    const first = await timed(subjectFirst ? subject : reference, work);
    const second = await timed(subjectFirst ? reference : subject, work);
    ratios.push(subjectFirst ? second / first : first / second);
  }
  return spreadOf(ratios);
}

async function timed(contender: Contender, work: Workload): Promise<number> {
  const start = performance.now();
  await contender.run(work);
  return performance.now() - start;
}

/** Runs `operation` as often as the workload says, as many at once as it says. */
export async function repeat(work: Workload, operation: () => Promise<void>): Promise<void> {
  let left = work.times;
  const worker = async (): Promise<void> => {
    while (left > 0) {
      left -= 1;
      await operation();
    }
  };
  await Promise.all(Array.from({ length: work.concurrency }, worker));
}
