import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ClientPooler } from "./client-pooler.ts";
import { temporaryDirectory } from "./temporary-directory.ts";

const run = promisify(execFile);

/** Where Debian, Homebrew and PostgreSQL's own packages put it. */
const PLACES = [
  "/usr/bin/pgbench",
  "/usr/local/bin/pgbench",
  "/opt/homebrew/bin/pgbench",
  "/usr/lib/postgresql/17/bin/pgbench",
  "/usr/lib/postgresql/16/bin/pgbench",
  "/usr/lib/postgresql/15/bin/pgbench",
];
const pgbenchPath = PLACES.find((path) => existsSync(path));
const CAPACITY = 4;
const CLIENTS = 32;
const TRANSACTIONS = 25;

let pooler: ClientPooler;

beforeAll(async () => {
  if (pgbenchPath === undefined) {
    console.log(
      `pgbench is not installed (looked for ${PLACES.join(", ")}): its tests are skipped`,
    );
    return;
  }
  pooler = await ClientPooler.start({ "connpool-global-capacity": String(CAPACITY) });
  await pgbench(["-i", "-q", "-s", "1"]);
});

afterAll(async () => {
  await pooler?.[Symbol.asyncDispose]();
});

async function pgbench(args: readonly string[]): Promise<string> {
  const { host, port, user, password, database } = pooler.address;
  const all = ["-h", host, "-p", String(port), "-U", user, ...args, database];
  const { stdout } = await run(pgbenchPath ?? "pgbench", all, {
    env: { PGPASSWORD: password, LC_ALL: "C.UTF-8" },
  });
  return stdout;
}

async function connections(): Promise<number> {
  const [row] = await pooler.postgres.sql(
    "select count(*)::int as count from pg_stat_activity where application_name ~ 'regular$|^pgbench$'",
  );
  return Number(row?.["count"]);
}

test.skipIf(pgbenchPath === undefined).for([
  ["simple", "-S"],
  ["extended", "-S"],
  ["prepared", "-S"],
  ["simple", "-bt"],
  ["extended", "-bt"],
  ["prepared", "-bt"],
] as const)(
  "pgbench -M %s %s runs with more clients than connections",
  { timeout: 60_000 },
  async ([mode, script]) => {
    const options = ["-n", "-M", mode, script, "-c", String(CLIENTS), "-t", String(TRANSACTIONS)];
    const report = await pgbench(options);
    const all = CLIENTS * TRANSACTIONS;
    expect(report).toContain(`number of transactions actually processed: ${all}/${all}`);
    expect(report).toContain("number of failed transactions: 0 ");
    expect(await connections()).toBeLessThanOrEqual(CAPACITY);
  },
);

/** Statements of one transaction that pgbench sends without waiting in between. */
const PIPELINE = `\\set aid random(1, 100000)
\\startpipeline
begin;
update pgbench_accounts set abalance = abalance + 1 where aid = :aid;
select abalance from pgbench_accounts where aid = :aid;
end;
select 1;
\\endpipeline
`;

test.skipIf(pgbenchPath === undefined).for(["extended", "prepared"] as const)(
  "pgbench -M %s sends pipelines",
  { timeout: 60_000 },
  async (mode) => {
    await using directory = await temporaryDirectory();
    const file = join(directory.path, "pipeline.sql");
    await writeFile(file, PIPELINE);
    const load = ["-c", String(CLIENTS), "-t", String(TRANSACTIONS)];
    const report = await pgbench(["-n", "-M", mode, "-f", file, ...load]);
    const all = CLIENTS * TRANSACTIONS;
    expect(report).toContain(`number of transactions actually processed: ${all}/${all}`);
    expect(report).toContain("number of failed transactions: 0 ");
  },
);

test.skipIf(pgbenchPath === undefined)(
  "pgbench -C connects for each transaction",
  { timeout: 60_000 },
  async () => {
    const report = await pgbench(["-n", "-S", "-C", "-c", "8", "-t", "5"]);
    expect(report).toContain("number of transactions actually processed: 40/40");
    expect(report).toContain("number of failed transactions: 0 ");
  },
);
