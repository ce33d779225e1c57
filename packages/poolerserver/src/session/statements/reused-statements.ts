import { emptyList } from "../emptied-list.ts";
import type { StatementFailure } from "../../statements/statement-failure.ts";
import type {
  RegisteredStatement,
  StatementRegistry,
} from "../../statements/statement-registry.ts";
import type { UnitPlace } from "./unit-place.ts";

/** Statements that a unit uses as its backend has them. */
export class ReusedStatements {
  readonly #registry: StatementRegistry;
  readonly #list: RegisteredStatement[] = [];

  constructor(registry: StatementRegistry) {
    this.#registry = registry;
  }

  get isEmpty(): boolean {
    return this.#list.length === 0;
  }

  has(statement: RegisteredStatement): boolean {
    return this.#list.includes(statement);
  }

  hasAnyOf(names: readonly string[]): boolean {
    return this.#list.some(({ name }) => names.includes(name));
  }

  add(statement: RegisteredStatement): void {
    this.#list.push(statement);
  }

  /** Another unit begins. */
  empty(): void {
    emptyList(this.#list);
  }

  /** One of them has failed: they are parsed again before their next use. */
  suspect(failure: StatementFailure, place: UnitPlace | undefined): void {
    for (const statement of this.#list) {
      if (failure === "outdated") {
        this.#registry.outdated(statement, statement.generation);
      }
      place?.held.suspect(statement.name);
    }
    if (failure === "missing") {
      place?.held.doubt();
    }
  }
}
