import { parseArgs } from "node:util";

/** What the command line of a bench says. */
export interface BenchOptions {
  /** How often everything is measured. */
  readonly rounds: number;
  /** Figures as lines of JSON instead of a table. */
  readonly json: boolean;
  /** What was said of the options that only this bench has, by name. */
  readonly own: ReadonlyMap<string, string>;
}

/** A command line that makes no sense; the message says why in one line. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

/**
 * Reads `--rounds` and `--json`, and the options of the bench's own, which all take a value.
 *
 * @throws UsageError naming the option.
 */
export function readOptions(
  args: readonly string[],
  defaultRounds: number,
  own: readonly string[] = [],
): BenchOptions {
  const values = parse(args, own);
  const texts = new Map<string, string>();
  for (const name of ["rounds", ...own]) {
    const value = values[name];
    if (typeof value === "string") {
      texts.set(name, value);
    }
  }
  const rounds = wholeNumber(texts, "rounds") ?? defaultRounds;
  texts.delete("rounds");
  return { rounds, json: values["json"] === true, own: texts };
}

/**
 * The value of an option as a number; `undefined` if it was not given.
 *
 * @throws UsageError naming the option, for all but whole numbers from 1.
 */
export function wholeNumber(
  options: ReadonlyMap<string, string>,
  name: string,
): number | undefined {
  const text = options.get(name);
  return text === undefined ? undefined : toWholeNumber(name, text);
}

/** One of a list of values as a number; see {@link wholeNumber}. */
export function toWholeNumber(name: string, text: string): number {
  const number = Number(text);
  if (!Number.isSafeInteger(number) || number < 1) {
    throw new UsageError(`--${name}: "${text}" is not a whole number from 1`);
  }
  return number;
}

function parse(
  args: readonly string[],
  own: readonly string[],
): Readonly<Record<string, string | boolean | undefined>> {
  try {
    const texts = ["rounds", ...own].map((name) => [name, { type: "string" as const }] as const);
    const options = { ...Object.fromEntries(texts), json: { type: "boolean" as const } };
    return parseArgs({ args: [...args], options, allowPositionals: false }).values;
  } catch (cause) {
    throw new UsageError(cause instanceof Error ? cause.message : String(cause), { cause });
  }
}
