import type { ClientStatement } from "./client-statement.ts";

/** The statements of a session that the backend which it holds has under the client's names. */
export class OwnStatements {
  /** Most sessions have none. */
  #statements: Set<ClientStatement> | undefined;

  has(statement: ClientStatement): boolean {
    return this.#statements?.has(statement) === true;
  }

  add(statement: ClientStatement): void {
    this.#statements ??= new Set();
    this.#statements.add(statement);
  }

  clear(): void {
    this.#statements = undefined;
  }
}
