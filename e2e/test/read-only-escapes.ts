import { bind, execute, extended, message, parse, sync } from "@multipooler/conversations";

const DEFAULT = "default_transaction_read_only";
const WRITE = "insert into ledger values ('x')";
const SNEAK = "select sneak('default_transaction_read_only')";

/** What both servers have: ways to write and to administer that no text of a client shows. */
export const SET_UP: readonly string[] = [
  "create table ledger (entry text)",
  "create sequence numbers",
  "create materialized view summary as select count(*) from ledger",
  "create extension dblink",
  "select lo_from_bytea(4711, 'contents')",
  "select pg_create_physical_replication_slot('kept')",
  `create function sneak(setting text) returns text language sql
    as $$ select set_config(setting, 'off', false) $$`,
  `create function sneak_by_clause() returns void language sql
    set default_transaction_read_only = off as $$ insert into ledger values ('clause') $$`,
  `create procedure sneak_and_write() language plpgsql as $$ begin
    perform set_config('default_transaction_read_only', 'off', false);
    commit;
    insert into ledger values ('procedure');
  end $$`,
  "create function promoting() returns boolean language sql as 'select pg_promote(false)'",
  "create function pass_on() returns boolean language sql as 'select promoting()'",
  "create view promotion as select pg_promote(false) as promoted",
  `create function promote_by_text() returns void language plpgsql
    as $$ begin execute 'select pg_promote(false)'; end $$`,
  "create function making() returns oid language sql as 'select lo_create(0)'",
  "create view made as select lo_create(0) as made",
  `create function make_by_text() returns oid language plpgsql
    as $$ declare made oid; begin execute 'select lo_create(0)' into made; return made; end $$`,
  `create function make_under_explain() returns void language plpgsql
    as $$ begin execute 'explain analyze create table explained as select 1'; end $$`,
  `create function explained_rows() returns setof text language plpgsql
    as $$ begin return query explain analyze create table explained as select 1; end $$`,
  "create operator !! (rightarg = text, function = sneak)",
  "create function reload_by_operator(text) returns boolean language sql as 'select pg_reload_conf()'",
  "create operator @! (rightarg = text, function = reload_by_operator)",
];

/**
 * Ways to write in, or around, read-only mode, each a list of what a client sends one after the
 * other: a text, which goes out as a query, or the messages of PostgreSQL's protocol themselves.
 */
export const ESCAPES: readonly (readonly (string | Buffer)[])[] = [
  // Plain writes.
  [WRITE],
  ["update ledger set entry = 'x'"],
  ["truncate ledger"],
  ["create table other (x int)"],
  ["create table other as select 1"],
  ["select 1 into other"],
  ["create materialized view other as select 1"],
  ["refresh materialized view summary"],
  [`with w as (${WRITE} returning entry) select * from w`],
  ["select nextval('numbers')"],
  ["select setval('numbers', 42)"],
  ["create role somebody"],
  ["alter table ledger add column x int"],
  ["copy ledger from program 'echo x'"],
  // The mode of a transaction.
  ["begin read write", WRITE, "commit"],
  [`begin; set transaction read write; ${WRITE}; commit`],
  [`BEGIN TRANSACTION ISOLATION LEVEL SERIALIZABLE, READ WRITE; ${WRITE}; COMMIT`],
  ["start transaction read write", WRITE, "commit"],
  [`start/**/transaction/* */read --\n write; ${WRITE}; commit`],
  ["begin", "set transaction read write", WRITE, "commit"],
  ["begin", "set local transaction_read_only = off", WRITE, "commit"],
  ["set session characteristics as transaction read write", WRITE],
  // The settings.
  [`set ${DEFAULT} = off`, WRITE],
  [`set ${DEFAULT} = off; commit; ${WRITE}`],
  [`SET SESSION "Default_Transaction_READ_ONLY" TO 'off'; COMMIT; ${WRITE}`],
  [`/* set /* nested */ */ set --\n\t${DEFAULT}\f=\voff;;; commit; ${WRITE}`],
  [`set U&"default!005ftransaction_read_only" uescape '!' = off; commit; ${WRITE}`],
  [`select set_config('${DEFAULT}', 'off', false)`, WRITE],
  [`select pg_catalog."set_config"('${DEFAULT}', 'off', false); commit; ${WRITE}`],
  [`select set_config('default_' || 'transaction_read_only', 'off', false); commit; ${WRITE}`],
  [`select set_config(E'default\\137transaction_read_only', 'off', false); commit; ${WRITE}`],
  [`update pg_settings set setting = 'off' where name = '${DEFAULT}'`, WRITE],
  [`reset ${DEFAULT}`, WRITE],
  [`select '\\'; set ${DEFAULT} = off; commit; ${WRITE} --'`],
  [`select $a$ ' $a$; set ${DEFAULT} = off; commit; ${WRITE}`],
  // Prepared statements, and groups of them.
  [extended("begin read write"), extended(WRITE), extended("commit")],
  [extended(`select set_config('${DEFAULT}', 'off', false)`), extended(WRITE)],
  [`prepare p as ${WRITE}`, "execute p"],
  [`prepare p as select set_config('${DEFAULT}', 'off', false)`, "execute p", WRITE],
  [
    Buffer.concat(
      [SNEAK, "commit", WRITE].flatMap((sql) => [parse(sql), bind(), execute()]).concat(sync),
    ),
  ],
  // Code that is not seen.
  [SNEAK, WRITE],
  ["begin", SNEAK, "commit", WRITE],
  ["select sneak_by_clause()"],
  ["call sneak_and_write()"],
  [`select !! '${DEFAULT}'`, WRITE],
  [`do $$ begin perform set_config('${DEFAULT}', 'off', false); commit; ${WRITE}; end $$`],
  [`do $$ begin execute 'set ' || '${DEFAULT} = off'; commit; ${WRITE}; end $$`],
  // What PostgreSQL makes in a read-only transaction.
  ["explain analyze create table explained as select 1"],
  ["explain (analyze, costs off) select 1 into explained"],
  ["explain analyze create materialized view explained as select 1"],
  ["select make_under_explain()"],
  ["select * from explained_rows()"],
  ["vacuum full ledger"],
  // Large objects.
  ["select lo_create(0)"],
  ["select lo_from_bytea(0, 'x')"],
  ["select lo_put(4711, 0, 'other')"],
  ["begin", "select lowrite(lo_open(4711, 131072), 'other')", "commit"],
  ["begin", "select lo_truncate(lo_open(4711, 131072), 1)", "commit"],
  ["select lo_unlink(4711)"],
  ["select lo_import('PG_VERSION')"],
  ["select (0).lo_create"],
  ["select making()"],
  ["select * from made"],
  ["select make_by_text()"],
  ["do $$ begin perform lo_unlink(4711); end $$"],
  // Two phases.
  ["begin", "prepare transaction 'mine'"],
  ["commit prepared 'nobody'"],
  // Files and programs.
  ["copy (select 1) to program 'touch escape-marker'"],
  ["COPY ledger (entry) TO PROGRAM 'touch escape-marker'"],
  ["copy (select 1) to '$DATA/escape-marker'"],
  ["copy ledger to E'$DATA/escape-marker'"],
  ["select lo_export(4711, 'escape-marker')"],
  ["load 'auto_explain'"],
  // Connections of the database's own.
  [`select dblink_exec('$PRIMARY', $$ ${WRITE} $$)`],
  [`select * from dblink('$PRIMARY', $$ ${WRITE} returning entry $$) as t (entry text)`],
  // Administration of the cluster.
  ["alter system set work_mem = '64kB'"],
  ["select pg_promote(false)"],
  ['select pg_catalog."pg_promote"(false)'],
  ["select * from pg_promote /* now */ (false, 1)"],
  ["select (false).pg_promote"],
  ['select u&"pg_\\0070romote"(false)'],
  ["select promoting()"],
  ["select pass_on()"],
  ["select promote_by_text()"],
  ["select * from promotion"],
  ["explain analyze select * from promotion"],
  ["prepare p as select pg_promote(false)", "execute p"],
  ["declare c cursor with hold for select pg_promote(false)", "fetch all from c"],
  ["begin", "declare c cursor for select pg_promote(false)", "fetch all from c"],
  [extended("select pg_promote(false)")],
  // The OID of pg_promote.
  [message("F", Buffer.from("00000d6c00000002000000016600000001310000", "hex"))],
  ["do $$ begin perform pg_promote(false); end $$"],
  ["do $$ begin execute 'select pg_' || 'promote(false)'; end $$"],
  ["select query_to_xml('select pg_promote(false)', true, true, '')"],
  ["select table_to_xml('promotion', true, true, '')"],
  ["select * from ts_stat('select to_tsvector(pg_promote(false)::text)')"],
  ["select @! 'x'"],
  ["select pg_wal_replay_pause()"],
  ["select pg_switch_wal()"],
  ["select pg_create_restore_point('x')"],
  ["select pg_reload_conf()"],
  ["select pg_rotate_logfile()"],
  ["select pg_create_physical_replication_slot('mine', true)"],
  ["select pg_create_logical_replication_slot('mine', 'test_decoding')"],
  ["select pg_drop_replication_slot('kept')"],
  ["select pg_replication_origin_create('mine')"],
  ["select pg_logical_emit_message(false, 'x', 'y')"],
  ["select pg_stat_reset_shared('bgwriter')"],
];

/** Some of what a read-only pooler is for, and must not be caught by the net. */
export const READS: readonly string[] = [
  "select entry from ledger where entry like 'read write'",
  "begin read only; select count(*) from ledger; commit",
  "set statement_timeout = '10s'; show statement_timeout",
  "select 'pg_promote()' as pg_promote, lo_get(4711)",
  "explain analyze select * from summary",
  "copy ledger to stdout",
  "declare c cursor with hold for select 1; fetch all from c; close c",
];

/** What only a primary has to be kept from: on a standby PostgreSQL stops what it could do. */
export const STANDBY_READS: readonly string[] = [
  "discard all",
  "reset all",
  "do $$ begin perform count(*) from ledger; end $$",
  `set ${DEFAULT} = off; show ${DEFAULT}`,
  "begin; select 1; commit; select 2",
];
