import { BegunUnit, SimpleQuery } from "@multipooler/pgwire";
import type { EventReceiver, EventRequest } from "@multipooler/pgwire";
import type { ResultSink, Statement } from "@multipooler/query-service";
import type { Classification } from "../classification/classification.ts";
import { Taint } from "../classification/taint.ts";
import { queryError } from "../postgres-error.ts";
import { statementRun } from "../statements/statement-run.ts";
import type {
  RunnableStatement,
  StatementRun,
  StatementRunOptions,
} from "../statements/statement-run.ts";
import type { HeldEnd } from "./held-run.ts";
import type { ReservedBackend, RunOptions } from "./reserved-backend.ts";

/** A statement, what is known of it, and how its transaction begins if it opens one. */
export interface JudgedStatement {
  readonly statement: Statement;
  readonly classification: Classification;
  readonly preparation: Omit<StatementRunOptions, "receiver">;
  readonly begin: JudgedBegin | undefined;
}

/** The statement that opens a transaction. */
export interface JudgedBegin {
  readonly sql: string;
  readonly classification: Classification;
}

/** How a statement ended, and whether the transaction that it was to open was opened. */
export interface StatementEnd {
  readonly end: HeldEnd;
  readonly hasBegun: boolean;
}

/**
 * Runs a statement on a reserved backend. What opens its transaction leaves in the same write, where
 * PostgreSQL makes sure that the statement does not run if that fails; else it goes ahead on its own.
 *
 * @throws INVALID_ARGUMENT for a statement that cannot be sent
 */
export async function runStatement(
  reserved: ReservedBackend,
  judged: JudgedStatement,
  options: RunOptions,
): Promise<StatementEnd> {
  const { statement, classification, begin } = judged;
  try {
    if (begin === undefined) {
      return await runPlaced(reserved, judged, options);
    }
    if (begin.classification.statements === 1 && isOneUnit(statement, classification)) {
      return await runPlaced(reserved, judged, options, begin.sql);
    }
    const begun = await reserved.run((run) => simpleQuery(begin.sql, run), {
      ...options,
      sink: withoutTags(options.sink),
    });
    if (begun.fate !== "done") {
      return { end: begun, hasBegun: false };
    }
    const { end } = await runPlaced(reserved, judged, options);
    return { end, hasBegun: true };
  } finally {
    // Prepared statements may be gone, so whoever runs next on the backend has to know.
    reserved.taint(classification.taint | (begin?.classification.taint ?? Taint.None));
  }
}

/** Runs a statement, again if nothing of it was run, and behind `begin` in one write. */
async function runPlaced(
  reserved: ReservedBackend,
  { statement, preparation }: JudgedStatement,
  options: RunOptions,
  begin?: string,
): Promise<StatementEnd> {
  let placed: StatementRun | undefined;
  let unit: BegunUnit | undefined;
  const run = (): Promise<HeldEnd> =>
    reserved.run((receiver, lease) => {
      placed = statementRun(begin === undefined ? statement : inExtendedProtocol(statement), {
        ...preparation,
        receiver,
      });
      placed.placeOn(lease);
      unit = begin === undefined ? undefined : begunUnit(begin, placed.request);
      return unit ?? placed.request;
    }, options);
  const end = await run();
  const hasBegun = unit?.hasBegun ?? false;
  if (end.fate === "withdrawn" || (begin !== undefined && !hasBegun)) {
    placed?.withdrawn();
  }
  const runsAgain = begin === undefined && end.fate === "failed" && placed?.mustRunAgain === true;
  return { end: runsAgain ? await run() : end, hasBegun };
}

/** @throws INVALID_ARGUMENT for a NUL character */
function simpleQuery(sql: string, receiver: EventReceiver): SimpleQuery {
  try {
    return new SimpleQuery({ sql, receiver });
  } catch (error) {
    throw queryError(error);
  }
}

function begunUnit(begin: string, unit: EventRequest): BegunUnit {
  try {
    return new BegunUnit({ begin, unit });
  } catch (error) {
    throw queryError(error);
  }
}

/**
 * Whether the statement means the same in the extended protocol. A FETCH does not: from a binary
 * cursor it yields text there.
 */
function isOneUnit(statement: Statement, { statements }: Classification): boolean {
  return statement.type !== "simple" || (statements <= 1 && !/^\s*fetch\b/i.test(statement.sql));
}

/** A simple query becomes one that is not kept prepared. */
function inExtendedProtocol(statement: Statement): RunnableStatement {
  return statement.type === "simple" ? { type: "unnamed", sql: statement.sql } : statement;
}

/** The tag of BEGIN is no result of the caller's statement. */
function withoutTags(sink: ResultSink): ResultSink {
  return {
    write: (event) => (event.type === "complete" ? undefined : sink.write(event)),
  };
}
