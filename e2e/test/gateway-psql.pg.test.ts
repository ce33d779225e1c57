import { afterAll, beforeAll, expect, test } from "vitest";
import { ClientProgram } from "./client-program.ts";
import { GatewayPooler } from "./gateway-pooler.ts";

const psqlProgram = new ClientProgram("psql");
const isSkipped = psqlProgram.isMissing;

let pooler: GatewayPooler;

beforeAll(async () => {
  if (!isSkipped) {
    pooler = await GatewayPooler.start();
  }
});

afterAll(async () => {
  await pooler?.[Symbol.asyncDispose]();
});

/** What psql prints, errors included, when it runs these commands. */
async function psql(...commands: readonly string[]): Promise<string> {
  const args = ["-X", "-At", ...commands.flatMap((command) => ["-c", command])];
  const { stdout, stderr } = await psqlProgram.run(pooler.address, args);
  return stdout + stderr;
}

test.skipIf(isSkipped)("psql runs statements and shows what there is", async () => {
  const output = await psql(
    "create table shown (id int primary key, name text)",
    "insert into shown values (1, 'one')",
    "table shown",
    "drop table if exists not_there",
    "\\dt",
    "\\d shown",
    "\\d+ shown",
    "\\du",
    "\\df",
  );
  expect(output).toContain("1|one\n");
  expect(output).toContain("public|shown|table|postgres");
  expect(output).toContain("id|integer||not null|\nname|text|||\n");
  expect(output).toContain('NOTICE:  table "not_there" does not exist, skipping');
  expect(output).not.toContain("ERROR");
});

test.skipIf(isSkipped)("psql's transactions, savepoints and errors", async () => {
  await psql("create table moved (id int unique deferrable initially deferred)");
  const output = await psql(
    "begin",
    "insert into moved values (1)",
    "savepoint s",
    "select 1/0",
    "select 1",
    "rollback to s",
    "commit and chain",
    "insert into moved values (2)",
    "rollback",
    "begin; insert into moved values (3), (3); commit",
    "insert into moved values (4); insert into moved values (5)",
    "insert into moved values (6); select 1/0",
    "select string_agg(id::text, ',' order by id) from moved",
  );
  expect(output.split("\n")).toEqual([
    "BEGIN",
    "INSERT 0 1",
    "SAVEPOINT",
    "ROLLBACK",
    "COMMIT",
    "INSERT 0 1",
    "ROLLBACK",
    "BEGIN",
    "INSERT 0 2",
    "INSERT 0 1",
    "INSERT 0 1",
    "INSERT 0 1",
    "1,4,5",
    "ERROR:  division by zero",
    "ERROR:  current transaction is aborted, commands ignored until end of transaction block",
    'ERROR:  duplicate key value violates unique constraint "moved_id_key"',
    "DETAIL:  Key (id)=(3) already exists.",
    "ERROR:  division by zero",
    "",
  ]);
});

test.skipIf(isSkipped)(
  "psql's session: settings, roles, temporary tables, cursors, locks",
  async () => {
    const output = await psql(
      "set work_mem = '8MB'",
      "show work_mem",
      "set work_mem = 'much'",
      "begin; set local work_mem = '9MB'; show work_mem; rollback",
      "begin; set work_mem = '10MB'; rollback",
      "show work_mem",
      "reset work_mem",
      "show work_mem",
      "set role pg_read_all_data",
      "select current_user",
      "reset role",
      "create temp table mine as select 7 as a",
      "table mine",
      "discard temp",
      "begin; declare c cursor with hold for select generate_series(1, 3); commit",
      "fetch 2 from c",
      "close c",
      "select pg_advisory_lock(1)",
      "select pg_advisory_unlock(1)",
      "select setseed(0.5)",
      "select random()::numeric(6, 5)",
      "discard all",
      "select current_setting('application_name')",
    );
    expect(output.split("\n").filter((line) => line !== "SET" && line !== "")).toEqual([
      "8MB",
      "BEGIN",
      "9MB",
      "ROLLBACK",
      "BEGIN",
      "ROLLBACK",
      "8MB",
      "RESET",
      "4MB",
      "pg_read_all_data",
      "RESET",
      "SELECT 1",
      "7",
      "DISCARD TEMP",
      "BEGIN",
      "DECLARE CURSOR",
      "COMMIT",
      "1",
      "2",
      "CLOSE CURSOR",
      "t",
      "0.98517",
      "DISCARD ALL",
      "psql",
      'ERROR:  invalid value for parameter "work_mem": "much"',
    ]);
    expect(await pooler.postgres.sql("select 1 from pg_locks where locktype = 'advisory'")).toEqual(
      [],
    );
  },
);

test.skipIf(isSkipped)("psql gets rows of 7 MB and results of 20 MB whole", async () => {
  expect((await psql("select repeat('z', 7 * 1024 * 1024)")).length).toBe(7 * 1024 * 1024 + 1);
  const lines = await psql("select repeat('y', 1000) from generate_series(1, 20000)");
  expect(lines).toBe(`${"y".repeat(1000)}\n`.repeat(20_000));
});

test.skipIf(isSkipped)("psql copies in and out", async () => {
  const output = await psql(
    "create table lines (a int unique)",
    "\\copy lines from program 'seq 1 100000'",
    "\\copy (select count(*) from lines) to stdout",
    "\\copy lines from program 'echo 1'",
    "\\copy lines from program 'echo much; seq 1 50000'",
    "begin",
    "\\copy lines from program 'seq 200001 200002'",
    "\\copy (select a from lines where a > 200000 order by a) to stdout with csv header",
    "rollback",
    "\\copy (select 1 / (3 - n) from generate_series(1, 5) n) to stdout",
    "\\copy nowhere from program 'seq 1 3'",
    "select count(*) from lines",
  );
  expect(output.split("\n")).toEqual([
    "CREATE TABLE",
    "COPY 100000",
    "100000",
    "BEGIN",
    "COPY 2",
    "a",
    "200001",
    "200002",
    "ROLLBACK",
    "0",
    "1",
    "100000",
    'ERROR:  duplicate key value violates unique constraint "lines_a_key"',
    "DETAIL:  Key (a)=(1) already exists.",
    "CONTEXT:  COPY lines, line 1",
    'ERROR:  invalid input syntax for type integer: "much"',
    'CONTEXT:  COPY lines, line 1, column a: "much"',
    "ERROR:  division by zero",
    'ERROR:  relation "nowhere" does not exist',
    "",
  ]);
});
