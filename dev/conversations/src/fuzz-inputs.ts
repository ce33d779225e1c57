/** Of all fuzz tests together; a million in a run outside CI. */
const FUZZ_INPUTS = Number(process.env["MULTIPOOLER_FUZZ_INPUTS"] ?? 50_000);
/** The same inputs each time; `SEED` for others, `SEED/PATH` for what a failure has printed. */
const [SEED, PATH] = (process.env["MULTIPOOLER_FUZZ_SEED"] ?? "1").split("/");
/** What a slow machine may take for one. */
const INPUT_LIMIT_MS = 20;

/** How a fuzz test is run. */
export interface FuzzRun {
  /** For fast-check. */
  readonly parameters: {
    readonly numRuns: number;
    readonly seed: number;
    readonly path?: string;
    readonly endOnFailure?: boolean;
  };
  /** Inputs of the test. */
  readonly inputs: number;
  /** The most time that the test may take. */
  readonly timeoutMs: number;
}

/** A test that takes this share of all inputs, so many of them in each of fast-check's runs. */
export function fuzzRun(share: number, inputsOfRun = 1): FuzzRun {
  const numRuns =
    PATH === undefined ? Math.max(1, Math.round((FUZZ_INPUTS * share) / inputsOfRun)) : 1;
  const inputs = numRuns * inputsOfRun;
  return {
    parameters: {
      numRuns,
      seed: Number(SEED),
      ...(PATH === undefined ? {} : { path: PATH, endOnFailure: true }),
    },
    inputs,
    timeoutMs: 60_000 + inputs * INPUT_LIMIT_MS,
  };
}
