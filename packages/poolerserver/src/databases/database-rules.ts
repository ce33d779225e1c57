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
  readonly #patterns: readonly RegExp[];

  constructor(rules: readonly string[]) {
    this.#names = new Set(rules.filter((rule) => !rule.includes("*")));
    this.#patterns = rules.filter((rule) => rule.includes("*")).map(patternOf);
  }

  permission(database: string): Permission {
    if (this.#names.has(database)) {
      return "named";
    }
    return this.#patterns.some((pattern) => pattern.test(database)) ? "matched" : "none";
  }
}

function patternOf(rule: string): RegExp {
  // Runs of stars mean what one means, and would take long to find no match.
  const parts = rule.split(/\*+/).map((part) => RegExp.escape(part));
  return new RegExp(`^${parts.join(".*")}$`, "su");
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
