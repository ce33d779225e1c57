import { ExtendedUnit, SimpleQuery } from "@multipooler/pgwire";
import type {
  EventReceiver,
  EventRequest,
  ExtendedStatement,
  RequestEnd,
} from "@multipooler/pgwire";
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
   * To be called once when the request has settled. True: nothing of it was run, because the backend
   * did not have the statement as it should; it can be placed and sent again.
   */
  mustRunAgain(end: RequestEnd): boolean;
}

export interface StatementRunOptions {
  readonly registry: StatementRegistry;
  /** See `parseConditions`. */
  readonly conditions: string;
  readonly receiver: EventReceiver;
}

/** @throws INVALID_ARGUMENT for a statement that cannot be sent */
export function statementRun(
  statement: RunnableStatement,
  { registry, conditions, receiver }: StatementRunOptions,
): StatementRun {
  try {
    switch (statement.type) {
      case "simple":
        return new PlainRun(new SimpleQuery({ sql: statement.sql, receiver }));
      case "parse":
        return new PlainRun(new ExtendedUnit({ statement, receiver }));
      case "prepared":
      case "sqlExecute":
      case "describe":
        return new PreparedRun({ statement, registry, conditions, receiver });
    }
  } catch (error) {
    throw queryError(error);
  }
}

/** A request that is the same on every backend. */
class PlainRun implements StatementRun {
  readonly request: EventRequest;

  constructor(request: EventRequest) {
    this.request = request;
  }

  placeOn(): void {}

  withdrawn(): void {}

  mustRunAgain(): boolean {
    return false;
  }
}
