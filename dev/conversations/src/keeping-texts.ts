import fc from "fast-check";
import { briefText } from "./texts.ts";

const transaction = fc.constantFrom(
  "begin",
  "begin",
  "begin read only",
  "BEGIN; -- and nothing else",
  "begin isolation level repeatable read, read only",
  "start transaction isolation level read committed",
  "start transaction isolation level serializable",
  "set transaction isolation level repeatable read",
  "set session characteristics as transaction isolation level repeatable read",
  "set constraints all deferred",
  "commit",
  "commit",
  "rollback",
  "end",
  "abort;",
  "savepoint s",
  "rollback to s",
  "release s",
  "commit and chain",
  "rollback and no chain",
  "begin; select 1",
  "notify news, 'committed'",
);

/** What one client does to its own table, and keeps in its backend. */
function writing(client: number): fc.Arbitrary<string> {
  const own = `own_${client}`;
  return fc.constantFrom(
    `insert into ${own} values (1, 'one')`,
    `insert into ${own} values (2, 'two') on conflict do nothing returning id, v`,
    `insert into ${own} select n, v from many where n > 3 on conflict do nothing`,
    `update ${own} set v = v || '!'`,
    `delete from ${own} where id = 1`,
    `select id, v from ${own} order by id`,
    `insert into ${own} values (3, 'three'); select 1 / 0`,
    `prepare a as insert into ${own} values (4, 'four') on conflict do nothing`,
    `select nextval('counted_${client}')`,
    `select currval('counted_${client}')`,
    "select lastval()",
    "create temp table kept as select 1 as k",
    "create temp table if not exists kept (k int) on commit delete rows",
    "create temp table kept as execute a",
    "explain (costs off) execute a",
    "select k from kept",
    "drop table kept",
    "declare held cursor with hold for select n from many order by n",
    "declare loose cursor for select n from many order by n",
    "fetch 3 from held",
    "fetch 3 from loose",
    "move 2 in loose; fetch 1 from loose",
    "close held",
    "close all",
    `select pg_advisory_lock(${1000 + client}) is null`,
    `select pg_advisory_unlock(${1000 + client})`,
    `select pg_advisory_xact_lock(${1000 + client}) is null`,
    "do $$ begin raise notice 'noted'; end $$",
    "do $$ begin raise exception 'thrown' using errcode = 'P0099', hint = 'none'; end $$",
    "do $$ begin perform set_config('work_mem', '80kB', false); end $$",
    "select set_config(lower('WORK_MEM'), '81kB', false)",
  );
}

/** Texts of a client that may keep its backend. */
export function keepingText(client: number): fc.Arbitrary<string> {
  return fc.oneof(
    { weight: 3, arbitrary: briefText },
    { weight: 2, arbitrary: transaction },
    { weight: 2, arbitrary: writing(client) },
  );
}

/** Texts of a client that listens, and keeps nothing else. */
export const listeningText: fc.Arbitrary<string> = fc.oneof(
  { weight: 2, arbitrary: briefText },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      "listen news",
      "listen news",
      'listen "Other news"',
      "unlisten news",
      "unlisten *",
      "notify news, 'to myself'",
      "select pg_notify('Other news', 'of another kind')",
    ),
  },
);
