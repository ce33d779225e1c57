import type { Binding } from "@multipooler/query-service";
import { PgwireError, PgwireErrorCode } from "../error.ts";
import type { ExtendedStatement } from "./extended-unit.ts";

/** Bind and Parse count in 16 bits. */
const MAX_COUNT = 65_535;
const MAX_OID = 0xffff_ffff;

/** @throws INVALID_ARGUMENT for a text that no message can hold, or too many types */
export function assertText(statement: ExtendedStatement): void {
  const { parameterTypes } = statement;
  assertNoNul("a statement", statement.sql);
  if (statement.type === "sqlExecute") {
    assertNoNul("a prefix", statement.prefix);
    assertNoNul("a suffix", statement.suffix);
  }
  if (statement.type === "prepared" && statement.portal !== undefined) {
    assertNoNul("the name of a portal", statement.portal);
  }
  assertRange("the number of parameterTypes", parameterTypes.length, MAX_COUNT);
  for (const oid of parameterTypes) {
    assertRange("an OID of parameterTypes", oid, MAX_OID);
  }
}

/** @throws INVALID_ARGUMENT */
export function assertBinding({ parameters, parameterFormats, resultFormats }: Binding): void {
  assertRange("the number of parameters", parameters.length, MAX_COUNT);
  assertRange("the number of resultFormats", resultFormats.length, MAX_COUNT);
  assertFormats(parameterFormats);
  assertFormats(resultFormats);
  if (parameterFormats.length > 1 && parameterFormats.length !== parameters.length) {
    throw invalid(
      `${parameterFormats.length} parameterFormats for ${parameters.length} parameters; none, one, or one each are allowed`,
    );
  }
}

/** @throws INVALID_ARGUMENT for what is no whole number from 0 to `max` */
export function assertRange(what: string, value: number, max: number): void {
  if (!Number.isInteger(value) || value < 0 || value > max) {
    throw invalid(`${what} is ${value}; 0 to ${max} are allowed`);
  }
}

function assertFormats(formats: readonly number[]): void {
  for (const format of formats) {
    assertRange("a format", format, 1);
  }
}

function assertNoNul(what: string, text: string): void {
  if (text.includes("\0")) {
    throw invalid(`${what} cannot hold a NUL character`);
  }
}

function invalid(problem: string): PgwireError {
  return new PgwireError(PgwireErrorCode.InvalidArgument, problem);
}
