import fc from "fast-check";

const OWN_TABLES = [0, 1];

/** Run on each side before the first conversation. */
export const PREPARING_SQL: string = `
  create schema other;
  create table t as select 1 as x;
  create table other.t as select 'o' as x;
  create table many as select i as n, 'row ' || i as v from generate_series(1, 50) i;
  ${OWN_TABLES.map((client) => `create table own_${client} (id int primary key, v text);`).join("\n")}
`;

/** Takes away what a conversation has written. */
export const RESTORING_SQL: string = OWN_TABLES.map((client) => `delete from own_${client}`).join(
  ";",
);

/** Texts that leave nothing behind, many of them wrong. */
const reading = fc.constantFrom(
  "select 1",
  "select 'two'",
  "select 1 as a, null as b, '' as c",
  "select current_setting('work_mem')",
  "select x from t order by x",
  "select n, v from many order by n limit 7",
  "select n from many order by n",
  "select n from many where n % 10 = 0 order by n; ",
  "select",
  "",
  " -- nothing",
  ";;",
  "values (1), (2), (3)",
  "selec",
  "select bogus",
  "select * from missing",
  "select 1 / x from t",
  "select 1 / (n - 4) from many order by n",
  "select 'é\u{1F600}'",
  "show work_mem",
  "explain (costs off) select 1",
);

const parameterized = fc.constantFrom(
  "select $1::int",
  "select $1::int + 1, $2::text",
  "select v from many where n = $1",
  "select 1 / $1::int",
);

const setting = fc.constantFrom(
  "set work_mem = '70kB'",
  "set work_mem = '71kB'",
  "set local work_mem = '72kB'",
  "set work_mem = 'no'",
  "set lock_timeout to sdf",
  "set datestyle = 'SQL, DMY'",
  "set search_path = other",
  "set app.x = 'y'",
  "set application_name = 'mine'",
  "set client_encoding = 'LATIN1'",
  "set timezone = 'UTC'",
  "set standard_conforming_strings = off",
  "reset work_mem",
  "reset datestyle",
  "reset search_path",
  "reset client_encoding",
  "reset standard_conforming_strings",
  "select set_config('work_mem', '73kB', false)",
  "show datestyle",
  "show search_path",
  "select coalesce(current_setting('app.x', true), '')",
);

const forgetting = fc.constantFrom("discard all", "deallocate all", "reset all", "discard plans");

const severalAtOnce = fc.constantFrom(
  "select 1; select 2",
  "select 1; select 1 / 0; select 2",
  "set work_mem = '74kB'; select 1 / 0",
  "begin; select 1; commit",
  "begin; select 1 / 0; commit",
  "select 1; begin; select 2; rollback; select 3",
  "select 1; selec",
  "show work_mem; set work_mem = '75kB'; show work_mem",
);

const transaction = fc.constantFrom(
  "begin",
  "begin",
  "begin read only",
  "start transaction isolation level serializable",
  "commit",
  "commit",
  "rollback",
  "end",
  "savepoint s",
  "rollback to s",
  "release s",
  "commit and chain",
  "rollback and no chain",
  "begin; select 1",
);

const NAMES = ["a", "b", "c"] as const;

/** Names of prepared statements besides the unnamed one. */
export const statementName: fc.Arbitrary<string> = fc.constantFrom(...NAMES);

const preparing = fc.oneof(
  fc.tuple(statementName, reading).map(([name, sql]) => `prepare ${name} as ${sql}`),
  statementName.map((name) => `prepare ${name} (int) as select $1 + 1`),
  statementName.map((name) => `execute ${name}`),
  statementName.map((name) => `execute ${name} (41)`),
  statementName.map((name) => `deallocate ${name}`),
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
    `create temp table kept as select 1 as k`,
    "select k from kept",
    "drop table kept",
    "declare held cursor with hold for select n from many order by n",
    "declare loose cursor for select n from many order by n",
    "fetch 3 from held",
    "fetch 3 from loose",
    "close held",
    "select pg_advisory_lock(1000 + " + client + ") is null",
    "do $$ begin raise notice 'noted'; end $$",
    "do $$ begin raise exception 'thrown' using errcode = 'P0099', hint = 'none'; end $$",
  );
}

/** The same, prepared under any name. */
export const singleText: fc.Arbitrary<string> = fc.oneof(
  { weight: 3, arbitrary: reading },
  { weight: 1, arbitrary: setting },
);

/** Texts of a client that gives its backend back behind each of them. */
export const briefText: fc.Arbitrary<string> = fc.oneof(
  { weight: 5, arbitrary: reading },
  { weight: 2, arbitrary: setting },
  { weight: 2, arbitrary: preparing },
  { weight: 1, arbitrary: forgetting },
  { weight: 1, arbitrary: severalAtOnce },
);

/** Texts of a client that may keep its backend. */
export function anyText(client: number): fc.Arbitrary<string> {
  return fc.oneof(
    { weight: 3, arbitrary: briefText },
    { weight: 2, arbitrary: transaction },
    { weight: 2, arbitrary: writing(client) },
  );
}

/** Texts for a Parse message: most are one statement, some take parameters. */
export function parseText(texts: fc.Arbitrary<string>): fc.Arbitrary<string> {
  return fc.oneof({ weight: 3, arbitrary: texts }, { weight: 1, arbitrary: parameterized });
}
