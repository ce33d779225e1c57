import { parseArgs } from "node:util";

/** What the command line of a bench says. */
export interface BenchOptions {
  /** How often everything is measured. */
  readonly rounds: number;
  /** Figures as lines of JSON instead of a table. */
  readonly json: boolean;
}

/** A command line that makes no sense; the message says why in one line. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

/** @throws UsageError naming the option. */
export function readOptions(args: readonly string[], defaultRounds: number): BenchOptions {
  const { rounds: text, json } = parse(args);
  const rounds = text === undefined ? defaultRounds : Number(text);
  if (!Number.isSafeInteger(rounds) || rounds < 1) {
    throw new UsageError(`--rounds: "${text}" is not a whole number from 1`);
  }
  return { rounds, json: json === true };
}

function parse(args: readonly string[]): { rounds?: string; json?: boolean } {
  try {
    const options = { rounds: { type: "string" }, json: { type: "boolean" } } as const;
    return parseArgs({ args: [...args], options }).values;
  } catch (cause) {
    throw new UsageError(cause instanceof Error ? cause.message : String(cause), { cause });
  }
}
