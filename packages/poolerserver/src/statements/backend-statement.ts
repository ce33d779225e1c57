import { ExtendedUnit, SimpleQuery } from "@multipooler/pgwire";
import type { EventReceiver, EventRequest, ExtendedStatement } from "@multipooler/pgwire";
import type { Statement } from "@multipooler/query-service";
import { WITH_STATEMENTS } from "../classification/taint.ts";
import type { TaintSet } from "../classification/taint.ts";
import { settingsOf } from "../pool/label.ts";
import type { Label } from "../pool/label.ts";
import type { Lease } from "../pool/lease.ts";
import { queryError } from "../postgres-error.ts";
import { PreparedStatement } from "./prepared-statement.ts";
import type { StatementRegistry } from "./statement-registry.ts";

/** What runs on a backend: a statement of a request, or one that is only described. */
export type RunnableStatement = Extract<Statement, { type: "simple" }> | ExtendedStatement;

/** One statement as a request, made ready for the backend that it was granted. */
export interface BackendStatement {
  readonly request: EventRequest;
  /** To be called before the request is sent on the backend of `lease`, each time. */
  placeOn(lease: Pick<Lease, "statements">): void;
  /** The request was taken back before it was sent. */
  withdrawn(): void;
  /**
   * Whether nothing of the request was run, because the backend did not have the statement as it
   * should; it can be placed and sent again. Known when it settles.
   */
  readonly mustRunAgain: boolean;
}

/** How a statement is prepared on a backend. */
export interface Preparation {
  readonly registry: StatementRegistry;
  /** See `LabelSettings`. */
  readonly conditions: string;
  /** Whether running it may drop prepared statements, itself among them. */
  readonly drops: boolean;
}

/**
 * @param label of the session that the statement is for
 * @param taint what the statement may leave in its session
 */
export function preparationOf(
  registry: StatementRegistry,
  label: Label | undefined,
  taint: TaintSet,
): Preparation {
  const drops = (taint & WITH_STATEMENTS) !== 0;
  return { registry, conditions: settingsOf({ label }).conditions, drops };
}

/** @throws INVALID_ARGUMENT for a statement that cannot be sent */
export function backendStatement(
  statement: RunnableStatement,
  preparation: Preparation,
  receiver: EventReceiver,
): BackendStatement {
  try {
    switch (statement.type) {
      case "simple":
        return new PlainStatement(new SimpleQuery({ sql: statement.sql, receiver }));
      case "parse":
        return new PlainStatement(new ExtendedUnit({ statement, receiver }));
      case "prepared":
      case "sqlExecute":
      case "describe":
        return new PreparedStatement({ statement, preparation, receiver });
    }
  } catch (error) {
    throw queryError(error);
  }
}

/** A request that is the same on every backend. */
class PlainStatement implements BackendStatement {
  readonly request: EventRequest;
  readonly mustRunAgain = false;

  constructor(request: EventRequest) {
    this.request = request;
  }

  placeOn(): void {}

  withdrawn(): void {}
}
