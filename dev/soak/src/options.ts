import { parseArgs } from "node:util";

/** How long a soak takes, and how many clients it has. */
export interface SoakOptions {
  readonly minutes: number;
  readonly clients: number;
  /** Decides what the clients do; not when. */
  readonly seed: number;
}

const DEFAULTS: SoakOptions = { minutes: 30, clients: 36, seed: 1 };

/** The help text; `npm run soak -- --help` prints it. */
export const HELP: string = `npm run soak -- [options]

  --minutes <number>  how long the clients work (default ${DEFAULTS.minutes})
  --clients <number>  how many of them at once (default ${DEFAULTS.clients})
  --seed <number>     decides what they do (default ${DEFAULTS.seed})
  --help              this text
`;

/** A command line that makes no sense; the message says why in one line. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

/**
 * Reads the command line. Undefined means that help is wanted.
 *
 * @throws UsageError naming the option.
 */
export function readOptions(args: readonly string[]): SoakOptions | undefined {
  const values = parse(args);
  return values.help === true
    ? undefined
    : {
        minutes: readNumber("--minutes", values.minutes, DEFAULTS.minutes),
        clients: Math.ceil(readNumber("--clients", values.clients, DEFAULTS.clients)),
        seed: readNumber("--seed", values.seed, DEFAULTS.seed),
      };
}

interface Values {
  readonly minutes?: string | undefined;
  readonly clients?: string | undefined;
  readonly seed?: string | undefined;
  readonly help?: boolean | undefined;
}

function parse(args: readonly string[]): Values {
  try {
    return parseArgs({
      args: args.filter((arg) => arg !== "--"),
      options: {
        minutes: { type: "string" },
        clients: { type: "string" },
        seed: { type: "string" },
        help: { type: "boolean" },
      },
    }).values;
  } catch (cause) {
    throw new UsageError(cause instanceof Error ? cause.message : String(cause), { cause });
  }
}

function readNumber(option: string, text: string | undefined, otherwise: number): number {
  if (text === undefined) {
    return otherwise;
  }
  const value = Number(text);
  if (text.trim() === "" || !Number.isFinite(value) || value <= 0) {
    throw new UsageError(`${option}: "${text}" is not a number above 0`);
  }
  return value;
}
