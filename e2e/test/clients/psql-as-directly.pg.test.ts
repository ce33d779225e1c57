import { spawn } from "node:child_process";
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ClientPooler } from "../client-pooler.ts";
import type { ClientAddress } from "../client-pooler.ts";
import { ClientProgram } from "../client-program.ts";
import { temporaryDirectory } from "../temporary-directory.ts";
import { findDebianPostgres } from "./debian-postgres.ts";
import { BOUND_VALUES, DESCRIBING_COMMANDS, SESSION } from "./psql-commands.ts";

/** psql has \bind from this version on. */
const BIND_SINCE = 16;
const LIMIT_MS = 120_000;
const PATIENCE = { timeout: 20_000 } as const;

const binDir = findDebianPostgres();
const isSkipped = binDir === undefined;
const psql = new ClientProgram("psql", binDir === undefined ? [] : [binDir]);

let pooler: ClientPooler;

beforeAll(async () => {
  if (isSkipped) {
    return;
  }
  pooler = await ClientPooler.start(
    { "connpool-global-capacity": "2", "pg-databases": "template1" },
    { server: { programs: binDir, settings: { wal_level: "logical" } } },
  );
  const file = join(import.meta.dirname, "every-kind.sql");
  const { stderr } = await psql.run(pooler.direct, ["-X", "-q", "-f", file]);
  expect(stderr).not.toContain("ERROR");
});

afterAll(async () => {
  await pooler?.[Symbol.asyncDispose]();
});

/** What psql prints on both of its outputs, and where it reads the text from. */
async function printed(address: ClientAddress, text: string): Promise<string> {
  await using directory = await temporaryDirectory();
  const file = join(directory.path, "input.sql");
  await writeFile(file, text);
  // Both ask for it, so that \dconfig shows it in both.
  const env = { PGCLIENTENCODING: "UTF8" };
  const args = ["-X", "-q", "-f", file];
  const { stdout, stderr } = await psql.run(address, args, env);
  return `${stdout}\n${stderr}`.replaceAll(directory.path, "").replaceAll(/ with PID \d+/g, "");
}

test.skipIf(isSkipped)(
  "every describing command prints the same bytes as directly",
  { timeout: LIMIT_MS },
  async () => {
    const text = DESCRIBING_COMMANDS.map((command) => `\\echo ${command}\n${command}\n`).join("");
    const direct = await printed(pooler.direct, text);
    expect(direct).not.toContain("ERROR");
    expect(direct).toContain("grown ups");
    expect((await printed(pooler.address, text)).split("\n")).toEqual(direct.split("\n"));
  },
);

test.skipIf(isSkipped)(
  "a session with copies, errors and cursors prints the same bytes",
  { timeout: LIMIT_MS },
  async () => {
    const version = (await psql.run(pooler.direct, ["--version"])).stdout;
    const hasBind = Number(/\) (\d+)/.exec(version)?.[1]) >= BIND_SINCE;
    const text = hasBind ? `${SESSION}${BOUND_VALUES}` : SESSION;
    const direct = await printed(pooler.direct, text);
    expect(direct).toContain('column "nothing" does not exist');
    expect((await printed(pooler.address, text)).split("\n")).toEqual(direct.split("\n"));
  },
);

test.skipIf(isSkipped)("Ctrl-C cancels the statement", async () => {
  const { host, port, user, password, database } = pooler.address;
  const child = spawn(
    join(binDir ?? "", "psql"),
    ["-X", "-q", "-h", host, "-p", String(port), "-U", user, database],
    { env: { PGPASSWORD: password, LC_ALL: "C.UTF-8" } },
  );
  try {
    let output = "";
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding("utf8").on("data", (text: string) => (output += text));
    }
    child.stdin.end("select pg_sleep(60);\n");
    const sleeping = "select 1 from pg_stat_activity where wait_event = 'PgSleep'";
    await expect.poll(() => pooler.postgres.sql(sleeping), PATIENCE).toHaveLength(1);
    child.kill("SIGINT");
    await once(child, "close");
    expect(output).toContain("ERROR:  canceling statement due to user request");
    expect(await pooler.postgres.sql(sleeping)).toEqual([]);
  } finally {
    child.kill("SIGKILL");
  }
});
