import type { Gate, GateResult } from "./gate.ts";

/** The names of the gates, by what came of them. */
export interface Verdicts {
  readonly passed: readonly string[];
  readonly skipped: readonly string[];
  readonly failed: readonly string[];
}

type Verdict = keyof Verdicts;

const WORDS: Readonly<Record<Verdict, string>> = {
  passed: "ok",
  skipped: "skipped",
  failed: "FAILED",
};
const WIDTH = Math.max(...Object.values(WORDS).map(({ length }) => length));

/** Runs one gate after the other, so that each has the machine, and prints what came of each. */
export async function runGates(
  gates: readonly Gate[],
  root: string,
  print: (text: string) => void,
): Promise<Verdicts> {
  const verdicts: Record<Verdict, string[]> = { passed: [], skipped: [], failed: [] };
  for (const gate of gates) {
    const start = performance.now();
    const result = await attempt(gate, root);
    const seconds = ((performance.now() - start) / 1000).toFixed(1);
    const verdict = verdictOf(result);
    verdicts[verdict].push(gate.name);
    print(
      `${WORDS[verdict].padEnd(WIDTH)} ${gate.name.padEnd(18)}${seconds.padStart(6)} s  ${gate.proves}`,
    );
    if (verdict !== "passed") {
      print(`${result.output.replaceAll(/^/gm, "         ")}\n`);
    }
  }
  return verdicts;
}

/** The last lines; the very last one is for programs. */
export function summary({ passed, skipped, failed }: Verdicts): string {
  return [
    ...(skipped.length === 0 ? [] : [`\nSkipped: ${skipped.join(", ")}`]),
    ...(failed.length === 0 ? [] : [`\nFailed: ${failed.join(", ")}`]),
    `\n${passed.length} passed, ${failed.length} failed`,
  ].join("\n");
}

function verdictOf({ ok, isSkipped }: GateResult): Verdict {
  if (!ok) {
    return "failed";
  }
  return isSkipped === true ? "skipped" : "passed";
}

async function attempt(gate: Gate, root: string): Promise<GateResult> {
  try {
    return await gate.run(root);
  } catch (error) {
    return { ok: false, output: `the gate is broken: ${String(error)}` };
  }
}
