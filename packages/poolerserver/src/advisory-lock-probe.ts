/**
 * Yields a row if the session holds an advisory lock. Outside of a transaction that is one of the
 * session's own. Everything is qualified: the search path is a client's.
 */
export const ADVISORY_LOCK_PROBE = `SELECT 1 FROM pg_catalog.pg_locks
  WHERE locktype OPERATOR(pg_catalog.=) 'advisory'::pg_catalog.text
    AND pid OPERATOR(pg_catalog.=) pg_catalog.pg_backend_pid() LIMIT 1`;
