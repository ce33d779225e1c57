/** What became of one test. */
export interface Outcome {
  readonly test: string;
  readonly hasPassed: boolean;
  /** What was printed where it failed. */
  readonly output: string;
}

/** Stands for a file that has no named test, or that fails outside of them. */
export const WHOLE_FILE = "the whole file";

/** A test that passes directly and cannot pass through the pooler. */
export interface KnownDifference {
  readonly file: string;
  readonly test: string;
  readonly reason: string;
}

/**
 * | type   | directly | through the pooler | listed as known |
 * | ------ | -------- | ------------------ | --------------- |
 * | same   | passed   | passed             | no              |
 * | known  | passed   | failed             | yes             |
 * | fault  | passed   | failed             | no              |
 * | stale  | passed   | passed             | yes             |
 * | broken | failed   | either             | either          |
 */
type DifferenceType = "same" | "known" | "fault" | "stale" | "broken";

/** How a test of one file compares. */
export interface Difference {
  readonly type: DifferenceType;
  readonly file: string;
  readonly test: string;
  readonly output: string;
}

/** Compares the outcomes of one file, test by test. A test that did not run through the pooler failed. */
export function compare(options: {
  readonly file: string;
  readonly direct: readonly Outcome[];
  readonly pooled: readonly Outcome[];
  readonly known: readonly KnownDifference[];
}): Difference[] {
  const { file, direct, pooled, known } = options;
  return direct.map(({ test, hasPassed, output }) => {
    const other = pooled.find((outcome) => outcome.test === test);
    const isKnown = known.some((each) => each.file === file && each.test === test);
    const type = hasPassed ? typeOf(other?.hasPassed === true, isKnown) : "broken";
    return { type, file, test, output: type === "broken" ? output : (other?.output ?? "") };
  });
}

function typeOf(hasPassed: boolean, isKnown: boolean): DifferenceType {
  if (hasPassed) {
    return isKnown ? "stale" : "same";
  }
  return isKnown ? "known" : "fault";
}

/** The numbers of a run, and whether it found nothing that was not known. */
export function summaryOf(differences: readonly Difference[]): {
  readonly lines: readonly string[];
  readonly isGood: boolean;
} {
  const count = (type: DifferenceType): number =>
    differences.filter((each) => each.type === type).length;
  const lines = [
    `${count("same")} tests pass directly and through the pooler`,
    `${count("known")} fail through the pooler for a reason that is known`,
    `${count("fault")} fail through the pooler`,
    `${count("stale")} are listed as known and pass`,
    `${count("broken")} fail directly`,
  ];
  const isGood = count("fault") + count("stale") === 0 && count("same") > 0;
  return { lines, isGood };
}
