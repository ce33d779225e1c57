import type { ResultEvent, Statement } from "@multipooler/query-service";
import type { EventRequest, RequestEnd } from "../connection/request.ts";
import { PgwireError, PgwireErrorCode } from "../error.ts";
import {
  bindBytes,
  DESCRIBE_BYTES,
  EXECUTE_BYTES,
  parseBytes,
  SYNC_BYTES,
  writeBind,
  writeDescribe,
  writeExecute,
  writeParse,
  writeSync,
} from "../messages/extended-writer.ts";
import type { EventReceiver } from "./simple-query.ts";

/** A statement of the extended protocol: run with parameters, or only parsed. */
export type ExtendedStatement = Extract<Statement, { type: "prepared" | "parse" }>;

const MAX_COUNT = 65_535;
const MAX_OID = 0xffff_ffff;
const MAX_INT32 = 0x7fff_ffff;
/** The server takes no longer message. */
const MAX_MESSAGE_BYTES = 0x3fff_ffff;

/**
 * One statement of the extended protocol, answered as events: Parse, Bind, Describe where asked
 * for, Execute and Sync, all without names. Of a `parse` statement Parse and Sync, which yield no
 * event.
 */
export class ExtendedUnit implements EventRequest {
  readonly answer = "events";
  readonly byteLength: number;
  readonly #statement: ExtendedStatement;
  readonly #receiver: EventReceiver;

  /** @throws INVALID_ARGUMENT that names the field, the value and the limit */
  constructor(options: {
    readonly statement: ExtendedStatement;
    readonly receiver: EventReceiver;
  }) {
    const { statement, receiver } = options;
    this.#statement = statement;
    this.#receiver = receiver;
    assertParse(statement);
    let bytes = parseBytes(Buffer.byteLength(statement.sql), statement.parameterTypes);
    if (statement.type === "prepared") {
      assertBind(statement);
      bytes += bindBytes(statement) + (statement.describe ? DESCRIBE_BYTES : 0) + EXECUTE_BYTES;
    }
    this.byteLength = bytes + SYNC_BYTES;
    assertRange("the size of the statement", this.byteLength, MAX_MESSAGE_BYTES);
  }

  writeTo(target: Buffer, start: number): number {
    const statement = this.#statement;
    let at = writeParse(target, start, statement.sql, statement.parameterTypes);
    if (statement.type === "prepared") {
      at = writeBind(target, at, statement);
      if (statement.describe) {
        at = writeDescribe(target, at);
      }
      at = writeExecute(target, at, statement.maxRows);
    }
    return writeSync(target, at);
  }

  event(event: ResultEvent): Promise<void> | undefined {
    return this.#receiver.event(event);
  }

  settle(end: RequestEnd): void {
    this.#receiver.settle(end);
  }
}

function assertParse({ sql, parameterTypes }: ExtendedStatement): void {
  if (sql.includes("\0")) {
    throw invalid("a statement cannot hold a NUL character");
  }
  assertRange("the number of parameterTypes", parameterTypes.length, MAX_COUNT);
  for (const oid of parameterTypes) {
    assertRange("an OID of parameterTypes", oid, MAX_OID);
  }
}

function assertBind(statement: Extract<Statement, { type: "prepared" }>): void {
  const { parameters, parameterFormats, resultFormats, maxRows } = statement;
  assertRange("the number of parameters", parameters.length, MAX_COUNT);
  assertRange("the number of resultFormats", resultFormats.length, MAX_COUNT);
  for (const format of [...parameterFormats, ...resultFormats]) {
    assertRange("a format", format, 1);
  }
  if (parameterFormats.length > 1 && parameterFormats.length !== parameters.length) {
    throw invalid(
      `${parameterFormats.length} parameterFormats for ${parameters.length} parameters; none, one, or one each are allowed`,
    );
  }
  assertRange("maxRows", maxRows, MAX_INT32);
}

function assertRange(what: string, value: number, max: number): void {
  if (!Number.isInteger(value) || value < 0 || value > max) {
    throw invalid(`${what} is ${value}; 0 to ${max} are allowed`);
  }
}

function invalid(problem: string): PgwireError {
  return new PgwireError(PgwireErrorCode.InvalidArgument, problem);
}
