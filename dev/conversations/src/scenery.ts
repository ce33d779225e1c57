/** Clients that write have a table and a sequence of their own. */
const OWNERS = [0, 1];
/** A role that clients become, with few rights. */
export const VISITOR = "conversing_visitor";
/** What a text says that runs until it is cancelled. */
export const ASLEEP = "asleep";

/** Run on each side before the first conversation. */
export const PREPARING_SQL: string = `
  do $$ begin create role ${VISITOR}; exception when duplicate_object then null; end $$;
  create schema other;
  create table t as select 1 as x;
  create table other.t as select 'o' as x;
  create table many as select i as n, 'row ' || i as v from generate_series(1, 50) i;
  grant select on many to ${VISITOR};
  create function slumber() returns int language plpgsql volatile as
    $$ begin raise notice '${ASLEEP}'; perform pg_sleep(60); return 1; end $$;
  ${OWNERS.map(
    (client) => `
  create table own_${client} (id int primary key, v text);
  create sequence counted_${client};`,
  ).join("")}
`;

/** Takes away what a conversation has written. */
export const RESTORING_SQL: string = OWNERS.map(
  (client) => `delete from own_${client}; select setval('counted_${client}', 1, false)`,
).join(";");

/** Two names that a pooler may have for its own prepared statements begin like this. */
const OF_POOLER = "^pp";

/**
 * What a client finds in its session that has just logged in, and what others have written: nothing of
 * a session that was there before.
 */
export const STATE_TEXTS: readonly string[] = [
  "begin",
  "select current_user, session_user, current_schemas(false)",
  "select name, setting from pg_settings where setting is distinct from reset_val" +
    " and name not in ('application_name', 'transaction_isolation') order by 1",
  "select coalesce(current_setting('app.x', true), '')",
  `select name from pg_prepared_statements where name !~ '${OF_POOLER}' order by 1`,
  "select name from pg_cursors where is_holdable",
  "select locktype, objid from pg_locks where locktype = 'advisory' and pid = pg_backend_pid()",
  "select relname from pg_class where relnamespace = pg_my_temp_schema() and relkind = 'r'",
  "select pg_listening_channels()",
  ...OWNERS.map((client) => `select id, v from own_${client} order by id`),
  "select lastval()",
];
