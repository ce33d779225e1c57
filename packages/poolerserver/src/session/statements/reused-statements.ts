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
  /** Who logs in to the sessions of the statements' client. */
  readonly user: string;
  readonly #list: RegisteredStatement[] = [];
  /** Those whose columns the client knows. */
  readonly #told: RegisteredStatement[] = [];

  constructor(registry: StatementRegistry, user: string) {
    this.#registry = registry;
    this.user = user;
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

  add(statement: RegisteredStatement, isTold: boolean): void {
    this.#list.push(statement);
    if (isTold) {
      this.#told.push(statement);
    }
  }

  /** Whether the client may get an answer of statements that are parsed again. */
  canBeReplaced(failure: StatementFailure): boolean {
    return failure === "missing" || (failure === "outdated" && this.#told.length === 0);
  }

  /** Another unit begins. */
  empty(): void {
    emptyList(this.#list, this.#told);
  }

  /** One of them has failed: they are parsed again before their next use. */
  suspect(failure: StatementFailure, place: UnitPlace | undefined): void {
    const isInTransaction = place !== undefined && place.hold.transaction !== "I";
    for (const statement of this.#list) {
      // PostgreSQL judges the next use too. A change of this transaction may be rolled back.
      if (this.#told.includes(statement) && (failure === "other" || isInTransaction)) {
        continue;
      }
      if (failure === "outdated") {
        const user = place?.hold.hadTemporary === true ? undefined : this.user;
        this.#registry.outdated(statement, statement.generation, user);
      }
      place?.held.suspect(statement.name);
    }
    if (failure === "missing") {
      place?.held.doubt();
    }
  }
}
