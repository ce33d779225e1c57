import { afterAll, beforeAll, expect, test } from "vitest";
import { ClientPooler } from "./client-pooler.ts";
import { ClientProgram } from "./client-program.ts";
import type { ProgramOutput } from "./client-program.ts";

const psqlProgram = new ClientProgram("psql");
const isSkipped = psqlProgram.isMissing;

let pooler: ClientPooler;

beforeAll(async () => {
  if (!isSkipped) {
    pooler = await ClientPooler.start();
  }
});

afterAll(async () => {
  await pooler?.[Symbol.asyncDispose]();
});

async function psql(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<ProgramOutput> {
  return await psqlProgram.run(pooler.address, ["-X", ...args], env);
}

test.skipIf(isSkipped)("psql runs statements and shows what there is", async () => {
  const { stdout, stderr } = await psql([
    "-At",
    "-c",
    "create table shown (id int primary key, name text)",
    "-c",
    "insert into shown values (1, 'one')",
    "-c",
    "table shown",
    "-c",
    "\\dt",
    "-c",
    "\\d shown",
    "-c",
    "\\conninfo",
  ]);
  expect(stderr).toBe("");
  expect(stdout).toContain("1|one\n");
  expect(stdout).toContain("public|shown|table|postgres");
  expect(stdout).toContain("id|integer||not null|\nname|text|||\n");
  expect(stdout).toContain(`at port "${pooler.address.port}"`);
});

test.skipIf(isSkipped)("psql gets PostgreSQL's errors", async () => {
  expect((await psql(["-c", "select 1/0"])).stderr).toBe("ERROR:  division by zero\n");
  const { stderr } = await psql(["-c", "select 1"], { PGPASSWORD: "wrong" });
  expect(stderr).toContain('FATAL:  password authentication failed for user "postgres"');
});

test.skipIf(isSkipped)("psql copies in and out", async () => {
  const { stdout } = await psql([
    "-c",
    "create table lines (a text)",
    "-c",
    "\\copy lines from program 'seq 1 1000'",
    "-c",
    "\\copy (select count(*) from lines) to stdout",
  ]);
  expect(stdout).toBe("CREATE TABLE\nCOPY 1000\n1000\n");
});
