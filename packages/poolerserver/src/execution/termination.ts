import { PoolerErrorCode } from "@multipooler/controller-api";
import type { DatabaseHandle, ResultSink } from "@multipooler/controller-api";
import { MultiPoolerError } from "./error.ts";
import { connect } from "./postgres-backend.ts";

/** How long the server waits for the process to be gone. */
const SERVER_WAIT_MS = 1000;

const nowhere: ResultSink = { write: () => undefined };

/**
 * Ends a server process whatever it runs, and resolves when the server has waited for its end. To
 * be called while the session of that process is open, since its number is given to others later.
 * Rejects if the server cannot be told.
 */
export type TerminateProcess = (
  processId: number,
  options: { readonly signal: AbortSignal },
) => Promise<void>;

/** Ends processes over a connection of its own, for which the budget must have a place. */
export function postgresTermination(database: DatabaseHandle): TerminateProcess {
  return async (processId, { signal }) => {
    const slot = database.budget.tryAcquire();
    if (slot === undefined) {
      const message = "no connection is left in the budget to end another one with";
      throw new MultiPoolerError(PoolerErrorCode.PoolExhausted, message);
    }
    try {
      const session = await connect(database, "read-write", signal);
      const sql = `SELECT pg_catalog.pg_terminate_backend(${processId}, ${SERVER_WAIT_MS})`;
      const terminated = session.query(sql, nowhere);
      // Closing waits for the query; when the signal aborts, both are cut.
      const closed = session.close({ signal });
      try {
        await terminated;
      } finally {
        await closed;
      }
    } finally {
      slot.release();
    }
  };
}
