import type { Backend } from "./backend.ts";
import type { ResultSink } from "@multipooler/controller-api";

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

/** For what the pooler itself sends. */
const nowhere: ResultSink = { write: () => undefined };

/** Brings the session back to how it started. Resolves to whether that succeeded. */
export async function resetSession(backend: Backend): Promise<boolean> {
  return await succeeds(backend.query(RESET, nowhere));
}

/** Ends the transaction that the session is in, then {@link resetSession}. */
export async function rollBackAndReset(backend: Backend): Promise<boolean> {
  const rolledBack = succeeds(backend.query("ROLLBACK", nowhere));
  const wasReset = resetSession(backend);
  return (await rolledBack) && (await wasReset);
}

function succeeds(done: Promise<void>): Promise<boolean> {
  return done.then(
    () => true,
    () => false,
  );
}
