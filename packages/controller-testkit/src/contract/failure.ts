import { PoolerErrorCode } from "@multipooler/query-service";
import type { PoolerError } from "@multipooler/query-service";
import { fail, match, ok } from "node:assert/strict";

const CODES: ReadonlySet<string> = new Set(Object.values(PoolerErrorCode));
const SQLSTATE = /^[0-9A-Z]{5}$/;

/** The error that a call has to fail with. Fails if it succeeds, or with anything but a `PoolerError`. */
export async function failureOf(call: Promise<unknown>): Promise<PoolerError> {
  try {
    await call;
  } catch (error) {
    return poolerErrorOf(error);
  }
  fail("the call should have failed");
}

/** The error that a member has to throw, not reject with. */
function thrownBy(member: () => unknown): PoolerError {
  try {
    member();
  } catch (error) {
    return poolerErrorOf(error);
  }
  fail("the call should have thrown");
}

/** Fails unless the call fails with one of the codes. */
export async function assertFails(
  call: Promise<unknown>,
  ...codes: readonly PoolerErrorCode[]
): Promise<PoolerError> {
  const error = await failureOf(call);
  assertCode(error, codes);
  return error;
}

/** Fails unless the member throws with one of the codes. */
export function assertThrows(member: () => unknown, ...codes: readonly PoolerErrorCode[]): void {
  assertCode(thrownBy(member), codes);
}

/** Fails unless it is an error with the shape that transports rely on. */
export function poolerErrorOf(error: unknown): PoolerError {
  if (!isPoolerError(error)) {
    fail(`it failed with something else than a PoolerError: ${String(error)}`);
  }
  ok(CODES.has(error.code), `${error.code} is no PoolerErrorCode`);
  ok("diagnostic" in error, "a PoolerError has a diagnostic, which may be undefined");
  ok("reservation" in error, "a PoolerError has a reservation, which may be undefined");
  if (error.diagnostic !== undefined) {
    match(error.diagnostic.code, SQLSTATE);
  }
  return error;
}

function assertCode(error: PoolerError, codes: readonly PoolerErrorCode[]): void {
  const wanted = codes.join(" or ");
  ok(codes.includes(error.code), `it failed with ${error.code} (${error.message}), not ${wanted}`);
}

function isPoolerError(error: unknown): error is PoolerError {
  return error instanceof Error && error.name === "PoolerError" && "code" in error;
}
