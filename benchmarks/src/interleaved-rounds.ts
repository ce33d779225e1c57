import type { Sample } from "./figures.ts";

/** How often something is measured. */
export interface Rounds {
  readonly rounds: number;
  /** Rounds before those that count, which warm everything up. Default: none. */
  readonly warmUpRounds?: number | undefined;
}

/** Takes a sample of each contender in each round; the samples of each by its name. */
export async function interleavedRounds<Contender extends { readonly name: string }>(
  contenders: readonly Contender[],
  { rounds, warmUpRounds = 0 }: Rounds,
  sampleOf: (contender: Contender) => Promise<Sample>,
): Promise<ReadonlyMap<string, readonly Sample[]>> {
  const samples = new Map(contenders.map(({ name }) => [name, [] as Sample[]]));
  for (let round = 0; round < warmUpRounds + rounds; round += 1) {
    // Each begins as often as the others: what comes first finds colder caches.
    const turn = round % contenders.length;
    for (const contender of [...contenders.slice(turn), ...contenders.slice(0, turn)]) {
      const sample = await sampleOf(contender);
      if (round >= warmUpRounds) {
        samples.get(contender.name)?.push(sample);
      }
    }
  }
  return samples;
}
