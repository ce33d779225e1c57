import type { Backend } from "./backend.ts";
import { SimpleQuery } from "./request.ts";
import type { RequestEnd } from "./request.ts";

/**
 * What DISCARD ALL does, except for the plans, which are no state that anyone could see: dropping
 * them would make every function and foreign key plan again.
 *
 * @see https://www.postgresql.org/docs/17/sql-discard.html
 */
const RESET = [
  "CLOSE ALL",
  "SET SESSION AUTHORIZATION DEFAULT",
  "RESET ALL",
  "DEALLOCATE ALL",
  "UNLISTEN *",
  "SELECT pg_catalog.pg_advisory_unlock_all()",
  "DISCARD TEMP",
  "DISCARD SEQUENCES",
].join(";");

/**
 * Brings a session back to how it started, its open transaction rolled back first. `onDone` is told
 * whether all of that succeeded.
 */
export function cleanSession(backend: Backend, onDone: (isClean: boolean) => void): void {
  let rolledBack = true;
  if (backend.transactionStatus !== "I") {
    ask(backend, "ROLLBACK", (succeeded) => {
      rolledBack = succeeded;
    });
  }
  ask(backend, RESET, (succeeded) => onDone(rolledBack && succeeded));
}

/** Makes the server answer, at the least cost for it. */
export function probeSession(backend: Backend, onDone: (hasAnswered: boolean) => void): void {
  ask(backend, "", onDone);
}

function ask(backend: Backend, sql: string, onDone: (succeeded: boolean) => void): void {
  const settle = (end: RequestEnd): void =>
    onDone(end.type === "ready" && end.error === undefined);
  backend.send(new SimpleQuery(sql, { event: () => undefined, settle }));
}
