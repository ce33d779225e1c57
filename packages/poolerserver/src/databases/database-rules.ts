import { PoolerErrorCode } from "@multipooler/query-service";
import { MultiPoolerError } from "../error.ts";

/** How an operator has allowed a database: by its name, by a pattern, or not at all. */
export type Permission = "named" | "matched" | "none";

/**
 * Which databases clients may use: names, and patterns in which `*` stands for any characters. The
 * database of the pooler itself is always one of them.
 */
export class DatabaseRules {
  readonly #names: ReadonlySet<string>;
  readonly #patterns: readonly Pattern[];

  constructor(rules: readonly string[]) {
    this.#names = new Set(rules.filter((rule) => !rule.includes("*")));
    this.#patterns = rules.filter((rule) => rule.includes("*")).map(patternOf);
  }

  permission(database: string): Permission {
    if (this.#names.has(database)) {
      return "named";
    }
    return this.#patterns.some((pattern) => matches(pattern, database)) ? "matched" : "none";
  }
}

/** What a name begins with, ends with, and has in between, in this order. */
interface Pattern {
  readonly start: string;
  readonly between: readonly string[];
  readonly end: string;
}

function patternOf(rule: string): Pattern {
  const [start = "", ...rest] = rule.split("*");
  return { start, between: rest.slice(0, -1), end: rest.at(-1) ?? "" };
}

/**
 * No regular expression: clients choose the name, and one that nearly matches a pattern of several
 * stars would hold the process for seconds.
 */
function matches({ start, between, end }: Pattern, name: string): boolean {
  const endAt = name.length - end.length;
  if (endAt < start.length || !name.startsWith(start) || !name.endsWith(end)) {
    return false;
  }
  let at = start.length;
  for (const part of between) {
    const found = name.indexOf(part, at);
    if (found === -1) {
      return false;
    }
    at = found + part.length;
  }
  return at <= endAt;
}

/** @throws INVALID_ARGUMENT for a rule that is no name */
export function requireRules(databases: readonly string[]): void {
  for (const rule of databases) {
    if (rule === "" || rule.includes("\0")) {
      throw new MultiPoolerError(
        PoolerErrorCode.InvalidArgument,
        `databases must be names or patterns of databases, not ${JSON.stringify(rule)}`,
      );
    }
  }
}
