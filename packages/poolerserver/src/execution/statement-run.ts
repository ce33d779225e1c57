import { BegunUnit, ExtendedUnit, SimpleQuery } from "@multipooler/pgwire";
import type { EventReceiver, EventRequest } from "@multipooler/pgwire";
import type { ResultSink, Statement } from "@multipooler/query-service";
import type { Classification } from "../classification/classification.ts";
import { queryError } from "../postgres-error.ts";
import { requestOf } from "./call.ts";
import type { HeldEnd } from "./held-run.ts";
import type { ReservedBackend, RunOptions } from "./reserved-backend.ts";

/** A statement, what is known of it, and how its transaction begins if it opens one. */
export interface JudgedStatement {
  readonly statement: Statement;
  readonly classification: Classification;
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
  { statement, classification, begin }: JudgedStatement,
  options: RunOptions,
): Promise<StatementEnd> {
  reserved.taint(classification.taint);
  if (begin === undefined) {
    const end = await reserved.run((run) => requestOf(statement, run), options);
    return { end, hasBegun: false };
  }
  reserved.taint(begin.classification.taint);
  if (begin.classification.statements === 1 && isOneUnit(statement, classification)) {
    return await runInOneWrite(reserved, statement, begin.sql, options);
  }
  const begun = await reserved.run((run) => simpleQuery(begin.sql, run), {
    ...options,
    sink: withoutTags(options.sink),
  });
  if (begun.fate !== "done") {
    return { end: begun, hasBegun: false };
  }
  const end = await reserved.run((run) => requestOf(statement, run), options);
  return { end, hasBegun: true };
}

/** @throws INVALID_ARGUMENT for a NUL character */
function simpleQuery(sql: string, receiver: EventReceiver): SimpleQuery {
  try {
    return new SimpleQuery({ sql, receiver });
  } catch (error) {
    throw queryError(error);
  }
}

async function runInOneWrite(
  reserved: ReservedBackend,
  statement: Statement,
  begin: string,
  options: RunOptions,
): Promise<StatementEnd> {
  let unit: BegunUnit | undefined;
  const end = await reserved.run((run) => {
    unit = begunUnit(begin, extendedRequest(statement, run));
    return unit;
  }, options);
  return { end, hasBegun: unit?.hasBegun ?? false };
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

function extendedRequest(statement: Statement, receiver: EventReceiver): EventRequest {
  if (statement.type !== "simple") {
    return requestOf(statement, receiver);
  }
  try {
    return new ExtendedUnit({
      receiver,
      statement: {
        type: "prepared",
        sql: statement.sql,
        parameterTypes: [],
        parameters: [],
        parameterFormats: [],
        resultFormats: [],
        maxRows: 0,
        describe: true,
      },
    });
  } catch (error) {
    throw queryError(error);
  }
}

/** The tag of BEGIN is no result of the caller's statement. */
function withoutTags(sink: ResultSink): ResultSink {
  return {
    write: (event) => (event.type === "complete" ? undefined : sink.write(event)),
  };
}
