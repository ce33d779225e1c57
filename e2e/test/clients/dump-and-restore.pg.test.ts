import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ClientPooler } from "../client-pooler.ts";
import type { ClientAddress } from "../client-pooler.ts";
import { ClientProgram } from "../client-program.ts";
import { temporaryDirectory } from "../temporary-directory.ts";
import { findDebianPostgres } from "./debian-postgres.ts";

const DUMPED = "dumped";
const LIMIT_MS = 120_000;

const binDir = findDebianPostgres();
const isSkipped = binDir === undefined;
const folders = binDir === undefined ? [] : [binDir];
const psql = new ClientProgram("psql", folders);
const pgDump = new ClientProgram("pg_dump", folders);
const pgRestore = new ClientProgram("pg_restore", folders);

let pooler: ClientPooler;
/** pg_dump's own text of the database. */
let original: string;

beforeAll(async () => {
  if (isSkipped) {
    return;
  }
  pooler = await ClientPooler.start(
    // Each of pg_dump's jobs has a transaction of its own, and the one that leads them another.
    { "connpool-global-capacity": "8", "pg-databases": "*" },
    { server: { programs: binDir, settings: { wal_level: "logical" } } },
  );
  await pooler.postgres.sql(`create database ${DUMPED}`);
  for (const file of ["every-kind.sql", "thousand-objects.sql"]) {
    const path = join(import.meta.dirname, file);
    await run(psql, { ...pooler.direct, database: DUMPED }, [
      "-X",
      "-q",
      "-o",
      "/dev/null",
      "-f",
      path,
    ]);
  }
  original = await dumpOf({ ...pooler.direct, database: DUMPED });
}, LIMIT_MS);

afterAll(async () => {
  await pooler?.[Symbol.asyncDispose]();
});

/** Returns what it prints; fails where it complains of an error. */
async function run(
  program: ClientProgram,
  address: ClientAddress,
  args: readonly string[],
): Promise<string> {
  const { stdout, stderr } = await program.run(address, args);
  expect(stderr).not.toMatch(/error/i);
  return stdout;
}

async function dumpOf(address: ClientAddress, args: readonly string[] = []): Promise<string> {
  return withoutTokens(await run(pgDump, address, args));
}

/** Newer versions put a random word around a dump. */
function withoutTokens(dump: string): string {
  return dump.replaceAll(/^\\(un)?restrict .*$/gm, "");
}

test.skipIf(isSkipped)("there are more than 1,000 objects", async () => {
  const objects = original.match(/^-- Name: /gm) ?? [];
  expect(objects.length).toBeGreaterThan(1000);
});

test.skipIf(isSkipped).for([
  ["plain", []],
  [
    "as inserts, in a serializable transaction",
    ["--serializable-deferrable", "--rows-per-insert=7"],
  ],
] as const)("a dump, %s, is the same as directly", { timeout: LIMIT_MS }, async ([, args]) => {
  const direct = args.length === 0 ? original : await dumpOf(dumped("direct"), args);
  expect((await dumpOf(dumped("pooled"), args)).split("\n")).toEqual(direct.split("\n"));
});

test.skipIf(isSkipped).for([
  ["custom", ["--format=custom"]],
  ["directory, by four jobs at once", ["--format=directory", "--jobs=4"]],
] as const)(
  "a database comes back whole from a dump: %s",
  { timeout: LIMIT_MS },
  async ([, args], { task }) => {
    await using directory = await temporaryDirectory();
    const path = join(directory.path, "dump");
    await run(pgDump, dumped("pooled"), [...args, `--file=${path}`]);
    const database = `restored_${task.id.replaceAll(/\W/g, "_")}`;
    await pooler.postgres.sql(`create database ${database} template template0`);
    await run(pgRestore, { ...pooler.address, database }, [
      `--dbname=${database}`,
      "--jobs=4",
      path,
    ]);
    const restored = await dumpOf({ ...pooler.direct, database });
    expect(restored.split("\n")).toEqual(original.split("\n"));
  },
);

test.skipIf(isSkipped)("psql brings a plain dump back", { timeout: LIMIT_MS }, async () => {
  await using directory = await temporaryDirectory();
  const path = join(directory.path, "dump.sql");
  await run(pgDump, dumped("pooled"), [`--file=${path}`]);
  await pooler.postgres.sql("create database restored_by_psql template template0");
  const restored = { ...pooler.address, database: "restored_by_psql" };
  await run(psql, restored, [
    "-X",
    "-q",
    "-1",
    "-v",
    "ON_ERROR_STOP=1",
    "-o",
    "/dev/null",
    "-f",
    path,
  ]);
  const text = await dumpOf({ ...pooler.direct, database: "restored_by_psql" });
  expect(text.split("\n")).toEqual(original.split("\n"));
});

function dumped(way: "direct" | "pooled"): ClientAddress {
  return { ...(way === "direct" ? pooler.direct : pooler.address), database: DUMPED };
}
