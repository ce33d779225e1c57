/**
 * Yields a row if the session has temporary tables, or other temporary objects: all of them depend on
 * its own schema. Everything is qualified: the search path is a client's.
 */
export const TEMPORARY_OBJECT_PROBE = `SELECT 1 FROM pg_catalog.pg_depend
  WHERE refclassid OPERATOR(pg_catalog.=) 'pg_catalog.pg_namespace'::pg_catalog.regclass::pg_catalog.oid
    AND refobjid OPERATOR(pg_catalog.=) pg_catalog.pg_my_temp_schema() LIMIT 1`;
