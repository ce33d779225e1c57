import type { Classification } from "../../classification/classification.ts";
import { WITH_STATEMENTS } from "../../classification/taint.ts";
import { emptyList } from "../emptied-list.ts";
import type { UnitFacts } from "../input/unit-facts.ts";
import { UNNAMED } from "./client-statements.ts";
import type { ClientStatements } from "./client-statements.ts";
import { decodeName, namesIn } from "./sql-tokens.ts";
import type { UnitMessages } from "./unit-messages.ts";
import type { UsableStatements } from "./usable-statements.ts";

export interface BroughtStatementsOptions {
  readonly facts: UnitFacts;
  readonly statements: ClientStatements;
  readonly usable: UsableStatements;
  readonly messages: UnitMessages;
}

/**
 * Statements that a text names which is more than one command. They go to the backend under the names
 * that the client has for them, and that keeps it.
 */
export class BroughtStatements {
  readonly #options: BroughtStatementsOptions;
  /** Names of the unit that are of no statement: what is brought behind must not be found there. */
  readonly #unknown: string[] = [];

  constructor(options: BroughtStatementsOptions) {
    this.#options = options;
  }

  /** A unit begins. */
  begin(): void {
    emptyList(this.#unknown);
  }

  /** The unit uses a statement of this name that there is not. */
  noteUnknown(name: string): void {
    this.#unknown.push(name);
  }

  /** The unit has such a text, whether it runs it or only parses it. */
  bring(text: string, { taint }: Classification): void {
    const { facts, statements, usable, messages } = this.#options;
    if ((taint & WITH_STATEMENTS) === 0 || statements.isEmpty) {
      return;
    }
    for (const name of namesIn(text)) {
      const isNone = name === undefined || name === UNNAMED || this.#unknown.includes(name);
      const statement = isNone ? undefined : statements.get(name);
      if (!isNone && statement !== undefined && !usable.isOwn(statement)) {
        facts.addState();
        usable.refuseForeign(statement);
        messages.add("bring", { ownName: decodeName(name), statement });
      }
    }
  }
}
