const WRITE = "insert into ledger values ('x')";
const NAME = "default_transaction_read_only";

/** What PostgreSQL refuses by itself in a session whose default is read-only. */
export const REFUSED_BY_POSTGRES: readonly string[] = [
  WRITE,
  "update ledger set entry = 'x'",
  "delete from ledger",
  "truncate ledger",
  "copy ledger from program 'echo x'",
  "create table other (x int)",
  `with w as (${WRITE} returning entry) select * from w`,
  `explain analyze ${WRITE}`,
  `prepare p as ${WRITE}; execute p`,
  `update pg_settings set setting = 'off' where name = '${NAME}'`,
  // Functions that try it out of sight; see the test's server for what they do.
  "select sneak_by_clause()",
  `select sneak('transaction_read_only'); ${WRITE}`,
  `select sneak('${NAME}'); ${WRITE}`,
  `begin; savepoint s; select sneak('transaction_read_only'); rollback to s; ${WRITE}; commit`,
];

/** What would write a row in such a session, if the pooler sent it. */
export const WRITES_WITHOUT_GUARD: readonly string[] = [
  // Another mode for the transaction.
  `begin read write; ${WRITE}; commit`,
  `BEGIN TRANSACTION ISOLATION LEVEL SERIALIZABLE, READ WRITE; ${WRITE}; COMMIT`,
  `start transaction read write; ${WRITE}; commit`,
  `start/**/transaction/* */read --\n write; ${WRITE}; commit`,
  `set transaction read write; ${WRITE}`,
  `begin; set transaction read write; ${WRITE}; commit`,
  `set local transaction read write; ${WRITE}`,
  `set session characteristics as transaction read write; commit; ${WRITE}`,
  `Set Session Characteristics As Transaction Isolation Level Serializable, Read Write; commit; ${WRITE}`,
  // The settings.
  `set transaction_read_only = off; ${WRITE}`,
  `set local transaction_read_only = 0; ${WRITE}`,
  `set ${NAME} = off; commit; ${WRITE}`,
  `SET SESSION ${NAME.toUpperCase()} TO 'off'; COMMIT; ${WRITE}`,
  `set "${NAME}" = off; commit; ${WRITE}`,
  `set "Default_Transaction_READ_ONLY" = off; commit; ${WRITE}`,
  `set u&"default\\005ftransaction_read_only" = off; commit; ${WRITE}`,
  `set U&"default!005ftransaction_read_only" uescape '!' = off; commit; ${WRITE}`,
  `/* set /* nested */ */ set --\n\t${NAME}\f=\voff;;; commit; ${WRITE}`,
  // set_config.
  `select set_config('${NAME}', 'off', false); commit; ${WRITE}`,
  `select pg_catalog.set_config('${NAME}', 'off', false); commit; ${WRITE}`,
  `select "set_config" ('${NAME.toUpperCase()}', 'off', false); commit; ${WRITE}`,
  `select u&"set\\005fconfig"('${NAME}', 'off', false); commit; ${WRITE}`,
  `select set_config('default_' || 'transaction_read_only', 'off', false); commit; ${WRITE}`,
  `select set_config('default_'\n'transaction_read_only', 'off', false); commit; ${WRITE}`,
  `select set_config(E'default\\137transaction_read_only', 'off', false); commit; ${WRITE}`,
  `select set_config($x$${NAME}$x$, 'off', false); commit; ${WRITE}`,
  `select set_config(n, 'off', false) from (values ('${NAME}')) v(n); commit; ${WRITE}`,
  // Strings that hide where a statement ends.
  `select 'it''s'; set ${NAME} = off; commit; ${WRITE}`,
  `select E'it\\'s'; set ${NAME} = off; commit; ${WRITE}`,
  `select E'it'\n'\\'s'; set ${NAME} = off; commit; ${WRITE}`,
  `select '\\'; set ${NAME} = off; commit; ${WRITE} --'`,
  `select U&'\\0027'; set ${NAME} = off; commit; ${WRITE}`,
  `select $a$ ' $a$; set ${NAME} = off; commit; ${WRITE}`,
  `select $$ $a$ $$; set ${NAME} = off; commit; ${WRITE}`,
  `select 1 as "a'b"; set ${NAME} = off; commit; ${WRITE}`,
  // Code that is not seen.
  `do $$ begin perform set_config('${NAME}', 'off', false); commit; ${WRITE}; end $$`,
  `do $$ begin execute 'set ' || '${NAME} = off'; commit; ${WRITE}; end $$`,
  "call sneak_and_write()",
  `select sneak('${NAME}'); commit; ${WRITE}`,
  `begin; select sneak('${NAME}'); end; ${WRITE}`,
  `select query_to_xml('select set_config(''${NAME}'', ''off'', false)', true, true, ''); commit; ${WRITE}`,
  // A transaction that was prepared elsewhere.
  "commit prepared 'waiting'",
];

/** What is refused although PostgreSQL 17 would let it do no harm: later versions may differ. */
export const REFUSED_ALL_THE_SAME: readonly string[] = [
  "reset all",
  "discard all",
  `reset ${NAME}`,
  "reset transaction_read_only",
  "set transaction_read_only to default",
  "select set_config('transaction_read_only', 'off', true)",
  "prepare transaction 'mine'",
  "rollback prepared 'waiting'",
];

/** What PostgreSQL lets pass in a read-only transaction although it changes the cluster. */
export const ADMINISTRATION: readonly string[] = [
  "select pg_promote()",
  'select pg_catalog."pg_promote"(false)',
  "select * from pg_promote /* now */ (true, 1)",
  "select (true).pg_promote",
  "select pg_wal_replay_pause()",
  "select pg_wal_replay_resume()",
  "select pg_switch_wal()",
  "select pg_create_restore_point('x')",
  "select pg_reload_conf()",
  "select pg_rotate_logfile()",
  "select pg_create_physical_replication_slot('mine', true)",
  "select pg_drop_replication_slot('mine')",
  "select pg_logical_emit_message(false, 'x', 'y')",
  "alter system set work_mem = '64kB'",
  "copy (select 1) to program 'cat'",
  "COPY ledger (program) TO PROGRAM 'cat'",
];

/** What a replica is for, and must not be caught by the net. */
export const ALLOWED: readonly string[] = [
  "select entry from ledger where entry like 'read write'",
  "begin; select 1; commit",
  "begin read only; set transaction isolation level repeatable read; select 1; rollback",
  "begin; savepoint s; select 1; rollback to savepoint s; select 2; commit",
  "set statement_timeout = '10s'; show statement_timeout",
  "select set_config('application_name', 'default_transaction_read_only', false)",
  "select '\\d+; set', E'\\'', $$ set default_transaction_read_only = off $$",
  "show default_transaction_read_only",
  'select 1 as call, 2 as "do"; reset statement_timeout',
  "select 'pg_promote()' as pg_promote",
  "select pg_terminate_backend(pid) from pg_stat_activity where false",
];
