/** One way to do the work that is compared. */
export interface Contender {
  /** Does the work `times` times, `concurrency` of them at once. */
  run(work: Workload): Promise<void>;
}

/** A statement, how often it runs, and how many of them at once. */
export interface Workload {
  readonly name: string;
  readonly sql: string;
  readonly concurrency: number;
  readonly times: number;
}

/** Statements a second of two contenders, round by round. */
export interface Comparison {
  readonly subject: readonly number[];
  readonly reference: readonly number[];
}

/** Measures both in each round, after a round that warms them up. */
export async function compare(
  subject: Contender,
  reference: Contender,
  { work, rounds }: { readonly work: Workload; readonly rounds: number },
): Promise<Comparison> {
  await subject.run(work);
  await reference.run(work);
  const rates = { subject: [] as number[], reference: [] as number[] };
  for (let round = 0; round < rounds; round += 1) {
    const turns = [
      { rates: rates.subject, contender: subject },
      { rates: rates.reference, contender: reference },
    ];
    // The second one finds warmer caches and a busier collector: take turns.
    for (const turn of round % 2 === 0 ? turns : turns.toReversed()) {
      turn.rates.push(await rateOf(turn.contender, work));
    }
  }
  return rates;
}

async function rateOf(contender: Contender, work: Workload): Promise<number> {
  const start = performance.now();
  await contender.run(work);
  return (work.times * 1000) / (performance.now() - start);
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
