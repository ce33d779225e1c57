import type { ClientOutput } from "./client-output.ts";
import type { ClientState } from "./client-state.ts";
import { errorWords } from "./error-words.ts";
import { ResultRelay } from "./result-relay.ts";
import { splitStatements } from "./sql-statement.ts";
import type { StatementRunner } from "./statement-runner.ts";

interface SimpleQueryParts {
  readonly state: ClientState;
  readonly runner: StatementRunner;
  readonly output: ClientOutput;
}

/** Runs the statements of a Query message one by one. */
export class SimpleQuery {
  readonly #parts: SimpleQueryParts;

  constructor(parts: SimpleQueryParts) {
    this.#parts = parts;
  }

  async run(sql: string): Promise<void> {
    const { state, output } = this.#parts;
    try {
      await this.#runAll(sql);
    } catch (error) {
      await output.diagnostic(errorWords(error));
      state.fail();
      await this.#endImplicit("rollback").catch(() => undefined);
    }
    await output.readyForQuery(state.status);
  }

  async #runAll(sql: string): Promise<void> {
    const { state, runner, output } = this.#parts;
    const relay = new ResultRelay(output, { describes: false });
    const statements = splitStatements(sql);
    if (statements.length === 0) {
      await relay.empty();
      return;
    }
    for (const statement of statements) {
      if (statements.length > 1 && !state.isInTransaction) {
        state.begin("BEGIN", { isImplicit: true });
      }
      await runner.run(statement, relay);
    }
    await this.#endImplicit("commit");
  }

  async #endImplicit(type: "commit" | "rollback"): Promise<void> {
    if (this.#parts.state.isImplicit) {
      await this.#parts.runner.conclude(type, false);
    }
  }
}
