import fc from "fast-check";
import { VISITOR } from "./scenery.ts";

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
  "select repeat('large ', 12000), n from many where n < 3 order by n",
  `select length('${"long".repeat(8000)}')`,
  "select current_user, session_user",
  "table many order by n fetch first 2 rows only",
  "select $$ ; $$, e'\\';', $a$select 1; select$a$ /* ; /* nested */ ; */",
);

const parameterized = fc.constantFrom(
  "select $1::int",
  "select $1::int + 1, $2::text",
  "select v from many where n = $1",
  "select 1 / $1::int",
  "select length($1)",
);

/** Settings, and what is shown of them. */
const setting = fc.constantFrom(
  "set work_mem = '70kB'",
  "set work_mem = '71kB'",
  "set session work_mem to '76kB'",
  "set local work_mem = '72kB'",
  "set work_mem to default",
  "set work_mem = 'no'",
  "set lock_timeout to sdf",
  "set datestyle = 'SQL, DMY'",
  "set local datestyle = 'SQL, MDY'",
  "set datestyle to default",
  "set search_path = other",
  "set search_path to public, other",
  "set app.x = 'y'",
  "set application_name = 'mine'",
  "set client_encoding = 'LATIN1'",
  "set names 'UTF8'",
  "set timezone = 'UTC'",
  "set time zone local",
  "set standard_conforming_strings = off",
  "reset work_mem",
  "reset datestyle",
  "reset search_path",
  "reset client_encoding",
  "reset standard_conforming_strings",
  "reset application_name",
  "reset timezone",
  "reset app.x",
  "reset nothing.known",
  "select set_config('work_mem', '73kB', false)",
  "select set_config('work_mem', '77kB', true)",
  "show datestyle",
  "show search_path",
  "show timezone",
  "select coalesce(current_setting('app.x', true), '')",
);

const role = fc.constantFrom(
  `set role ${VISITOR}`,
  "set role none",
  "reset role",
  `set local role ${VISITOR}`,
  `set session authorization ${VISITOR}`,
  "reset session authorization",
  "set session authorization default",
  "set role nobody_of_that_name",
  "select current_user, session_user, current_setting('role')",
);

const forgetting = fc.constantFrom(
  "discard all",
  "discard all",
  "deallocate all",
  "reset all",
  "discard plans",
  "discard sequences",
  "discard temp",
);

const severalAtOnce = fc.constantFrom(
  "select 1; select 2",
  "select 1; select 1 / 0; select 2",
  "set work_mem = '74kB'; select 1 / 0",
  "set work_mem = '78kB'; show work_mem",
  "reset work_mem; show work_mem",
  "reset all; show work_mem; show datestyle",
  "begin; reset datestyle; show datestyle; commit",
  "begin; set local work_mem = '79kB'; show work_mem; rollback; show work_mem",
  "begin; select 1; commit",
  "begin; select 1 / 0; commit",
  "select 1; begin; select 2; rollback; select 3",
  "select 1; selec",
  "show work_mem; set work_mem = '75kB'; show work_mem",
  "set local work_mem = '69kB'; show work_mem",
);

const NAMES = ["a", "b", "c"] as const;

/** Names of prepared statements besides the unnamed one. */
export const statementName: fc.Arbitrary<string> = fc.constantFrom(...NAMES);
/** The same, as SQL may write them. */
const writtenName = fc.constantFrom(...NAMES, "A", '"b"', "C");

const preparing = fc.oneof(
  fc.tuple(writtenName, reading).map(([name, sql]) => `prepare ${name} as ${sql}`),
  writtenName.map((name) => `prepare ${name} (int) as select $1 + 1`),
  writtenName.map((name) => `execute ${name}`),
  writtenName.map((name) => `execute ${name} (41)`),
  writtenName.map((name) => `deallocate ${name}`),
  writtenName.map((name) => `deallocate prepare ${name}`),
);

/** One statement that a session may prepare under a name. */
export const singleText: fc.Arbitrary<string> = fc.oneof(
  { weight: 6, arbitrary: reading },
  { weight: 2, arbitrary: setting },
  { weight: 1, arbitrary: role },
);

/** Texts of a client that gives its backend back behind each of them. */
export const briefText: fc.Arbitrary<string> = fc.oneof(
  { weight: 10, arbitrary: reading },
  { weight: 5, arbitrary: setting },
  { weight: 4, arbitrary: preparing },
  { weight: 2, arbitrary: forgetting },
  { weight: 2, arbitrary: severalAtOnce },
  { weight: 1, arbitrary: role },
  { weight: 1, arbitrary: fc.constant("notify news, 'from a brief client'") },
);

/** Texts for a Parse message: most are one statement, some take parameters. */
export function parseText(texts: fc.Arbitrary<string>): fc.Arbitrary<string> {
  return fc.oneof({ weight: 3, arbitrary: texts }, { weight: 1, arbitrary: parameterized });
}
