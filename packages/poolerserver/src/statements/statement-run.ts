import { ExtendedUnit, SimpleQuery } from "@multipooler/pgwire";
import type { EventReceiver, EventRequest, ExtendedStatement } from "@multipooler/pgwire";
import type { Statement } from "@multipooler/query-service";
import type { Lease } from "../pool/lease.ts";
import { queryError } from "../postgres-error.ts";
import { PreparedRun } from "./prepared-run.ts";
import type { StatementRegistry } from "./statement-registry.ts";

/** What runs on a backend: a statement of a request, or one that is only described. */
export type RunnableStatement = Extract<Statement, { type: "simple" }> | ExtendedStatement;

/** One statement as a request, made ready for the backend that it was granted. */
export interface StatementRun {
  readonly request: EventRequest;
  /** To be called before the request is sent on the backend of `lease`, each time. */
  placeOn(lease: Pick<Lease, "backend" | "statements">): void;
  /** The request was taken back before it was sent. */
  withdrawn(): void;
  /**
   * Whether nothing of the request was run, because the backend did not have the statement as it
   * should; it can be placed and sent again. Known when it settles.
   */
  readonly mustRunAgain: boolean;
}

export interface StatementRunOptions {
  readonly registry: StatementRegistry;
  /** See `parseConditions`. */
  readonly conditions: string;
  /** Whether running it may drop prepared statements, itself among them. */
  readonly drops: boolean;
  readonly receiver: EventReceiver;
}

/** @throws INVALID_ARGUMENT for a statement that cannot be sent */
export function statementRun(
  statement: RunnableStatement,
  options: StatementRunOptions,
): StatementRun {
  const { receiver } = options;
  try {
    switch (statement.type) {
      case "simple":
        return new PlainRun(new SimpleQuery({ sql: statement.sql, receiver }));
      case "parse":
        return new PlainRun(new ExtendedUnit({ statement, receiver }));
      case "prepared":
      case "sqlExecute":
      case "describe":
        return new PreparedRun({ ...options, statement });
    }
  } catch (error) {
    throw queryError(error);
  }
}

/** A request that is the same on every backend. */
class PlainRun implements StatementRun {
  readonly request: EventRequest;
  readonly mustRunAgain = false;

  constructor(request: EventRequest) {
    this.request = request;
  }

  placeOn(): void {}

  withdrawn(): void {}
}
