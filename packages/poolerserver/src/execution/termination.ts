import type { DatabaseHandle } from "@multipooler/controller-api";

/** How long the server waits for the process to be gone. */
const SERVER_WAIT_MS = 1000;

/**
 * Ends a server process whatever it runs, and resolves when the server has waited for its end. To
 * be called while the session of that process is open, since its PID is given to others later.
 * Rejects if the server cannot be asked.
 */
export type TerminateProcess = (
  processId: number,
  options: { readonly signal: AbortSignal },
) => Promise<void>;

/** Ends processes over the manager's own connections. */
export function postgresTermination(database: DatabaseHandle): TerminateProcess {
  return async (processId, { signal }) => {
    const sql = "select pg_catalog.pg_terminate_backend($1::int4, $2::int8)";
    await database.admin(sql, [processId, SERVER_WAIT_MS], { signal });
  };
}
