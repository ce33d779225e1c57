import type { Classification } from "../../classification/classification.ts";
import { WITH_STATEMENTS } from "../../classification/taint.ts";
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

  constructor(options: BroughtStatementsOptions) {
    this.#options = options;
  }

  /** The unit has such a text, whether it runs it or only parses it. */
  bring(text: string, { taint }: Classification): void {
    const { facts, statements, usable, messages } = this.#options;
    if ((taint & WITH_STATEMENTS) === 0 || statements.isEmpty) {
      return;
    }
    for (const name of namesIn(text)) {
      const isNone = name === undefined || name === UNNAMED;
      const statement = isNone ? undefined : statements.get(name);
      if (!isNone && statement !== undefined && !usable.isOwn(statement)) {
        facts.addState();
        usable.refuseForeign(statement);
        // One of the same unit is there for what comes behind it alone, and only if it succeeds.
        const kind = statements.isOfUnit(name) ? "bringBehind" : "bring";
        messages.add(kind, { ownName: decodeName(name), statement });
        usable.noteBrought(statement);
      }
    }
  }
}
