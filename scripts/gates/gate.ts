/** The verdict of a gate. */
export interface GateResult {
  readonly ok: boolean;
  /** What to show: why it failed or was skipped, or one line that says what was checked. */
  readonly output: string;
  /** What it proves could not be looked at here, which neither passes nor fails. */
  readonly isSkipped?: true;
}

/** One named check of the repository. */
export interface Gate {
  /** As `npm run check -- <name>` takes it. */
  readonly name: string;
  /** What holds when the gate is green. */
  readonly proves: string;
  /** Checks the repository whose root folder is `root`. Rejects only when the gate itself is broken. */
  run(root: string): Promise<GateResult>;
}

/** Joins results: ok if all are. */
export function allOf(results: readonly GateResult[]): GateResult {
  const failed = results.filter(({ ok }) => !ok);
  return {
    ok: failed.length === 0,
    output: (failed.length === 0 ? results : failed).map(({ output }) => output).join("\n"),
  };
}
