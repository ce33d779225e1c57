import { BegunUnit, ExtendedUnit, SimpleQuery, SqlScanner, toSqlText } from "@multipooler/pgwire";
import type { EventReceiver, EventRequest } from "@multipooler/pgwire";
import type { ResultSink, Statement } from "@multipooler/query-service";
import type { Classification } from "../classification/classification.ts";
import { queryError } from "../postgres-error.ts";
import { backendStatement } from "../statements/backend-statement.ts";
import type {
  BackendStatement,
  Preparation,
  RunnableStatement,
} from "../statements/backend-statement.ts";
import type { HeldEnd } from "./held-run.ts";
import type { ReservedBackend, RunOptions } from "./reserved-backend.ts";

/** A statement, and how it is prepared. */
export interface PreparableStatement {
  readonly statement: RunnableStatement;
  readonly preparation: Preparation;
}

/** A statement, what is known of it, and how its transaction begins if it opens one. */
export interface JudgedStatement extends PreparableStatement {
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
  judged: JudgedStatement,
  options: RunOptions,
): Promise<StatementEnd> {
  const { statement, classification, begin } = judged;
  reserved.note(classification);
  if (begin === undefined) {
    return { end: await runPrepared(reserved, judged, options), hasBegun: false };
  }
  reserved.note(begin.classification);
  if (begin.classification.statements === 1 && isOneUnit(statement, classification)) {
    return await runInOneWrite(reserved, judged, begin.sql, options);
  }
  const begun = await runBegin(reserved, begin.sql, options);
  if (begun.fate !== "done") {
    return { end: begun, hasBegun: false };
  }
  return { end: await runPrepared(reserved, judged, options), hasBegun: true };
}

/** Opens a transaction ahead of the statement that is to run in it. */
export async function runBegin(
  reserved: ReservedBackend,
  sql: string,
  options: RunOptions,
): Promise<HeldEnd> {
  // The tag of BEGIN is no result of the caller's statement.
  const sink: ResultSink = {
    write: (event) => (event.type === "complete" ? undefined : options.sink.write(event)),
  };
  return await reserved.run((run) => simpleQuery(sql, run), { ...options, sink });
}

/** Runs a statement, or describes it, with what the backend has prepared. */
export async function runPrepared(
  reserved: ReservedBackend,
  { statement, preparation }: PreparableStatement,
  options: RunOptions,
): Promise<HeldEnd> {
  let placed: BackendStatement | undefined;
  const end = await reserved.run((receiver, lease) => {
    placed = backendStatement(statement, preparation, receiver);
    placed.placeOn(lease);
    return placed.request;
  }, options);
  if (end.fate === "withdrawn") {
    placed?.withdrawn();
  }
  return end;
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
  { statement, preparation }: JudgedStatement,
  begin: string,
  options: RunOptions,
): Promise<StatementEnd> {
  let unit: BegunUnit | undefined;
  let placed: BackendStatement | undefined;
  const end = await reserved.run((receiver, lease) => {
    if (statement.type === "simple") {
      unit = begunUnit(begin, extendedQuery(statement.sql, receiver));
      return unit;
    }
    placed = backendStatement(statement, preparation, receiver);
    placed.placeOn(lease);
    unit = begunUnit(begin, placed.request);
    return unit;
  }, options);
  const hasBegun = unit?.hasBegun ?? false;
  if (end.fate === "withdrawn" || !hasBegun) {
    // PostgreSQL has passed over what was to be closed before the statement, too.
    placed?.withdrawn();
  }
  return { end, hasBegun };
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
  return statement.type !== "simple" || (statements <= 1 && leadOf(statement.sql) !== "fetch");
}

/** The word that a text begins with, behind blanks and comments. */
function leadOf(sql: string): string | undefined {
  const scanner = new SqlScanner(toSqlText(sql), { backslashEscapes: false });
  while (scanner.next()) {
    // Empty statements may stand before it.
    if (scanner.kind !== "symbol" || scanner.value() !== ";") {
      return scanner.kind === "word" ? scanner.value() : undefined;
    }
  }
  return undefined;
}

function extendedQuery(sql: string, receiver: EventReceiver): EventRequest {
  try {
    return new ExtendedUnit({
      receiver,
      statement: {
        type: "prepared",
        sql,
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
