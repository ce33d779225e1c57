import { readdirSync } from "node:fs";
import {
  chmod,
  chown,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rm,
  stat,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startPostgres } from "@multipooler/test-postgres";
import type { TestPostgres } from "@multipooler/test-postgres";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { BaseBackupError, takeBaseBackup } from "../src/index.ts";
import type { BackupSource, BaseBackupOptions } from "../src/index.ts";

const PASSWORD = "it's a secret";
let primary: TestPostgres;

beforeAll(async () => {
  primary = await startPostgres({ auth: "scram-sha-256", password: PASSWORD });
  await primary.sql("create table kept as select generate_series(1, 1000) as id");
});
afterAll(async () => await primary[Symbol.asyncDispose]());

function sourceOf({ host, port, user }: TestPostgres, password = PASSWORD): BackupSource {
  return {
    address: { type: "tcp", host, port },
    user,
    credential: async () => ({ type: "password", password }),
  };
}

/** A backup of the primary to a new place, with all that it leaves there. */
async function backup(
  options: Partial<BaseBackupOptions> = {},
): Promise<BaseBackupOptions & { readonly parent: string }> {
  const parent = await mkdtemp(join(tmpdir(), "mp backup "));
  await chmod(parent, 0o755);
  onTestFinished(async () => await rm(parent, { recursive: true, force: true }));
  const { uid, gid } = await stat(primary.dataDir);
  return {
    source: sourceOf(primary),
    dataDir: join(parent, "copy"),
    owner: process.getuid?.() === 0 ? { uid, gid } : undefined,
    durable: false,
    parent,
    ...options,
  };
}

async function refusal(call: Promise<unknown>): Promise<BaseBackupError> {
  const error: unknown = await call.then(
    () => undefined,
    (cause: unknown) => cause,
  );
  if (error instanceof BaseBackupError) {
    return error;
  }
  throw new Error("it was not refused", { cause: error });
}

test("copies a server so that the copy starts, with what was written until then", async () => {
  const options = await backup({ durable: true, label: "it's mine" });
  const result = await takeBaseBackup(options);
  expect(result.timeline).toBe(1);
  expect(result.files).toBeGreaterThan(900);
  expect(result.bytes).toBeGreaterThan(16_777_216);
  const [row] = await primary.sql("select system_identifier::text as id from pg_control_system()");
  expect(result.systemIdentifier).toBe(row?.["id"]);
  expect(await readFile(join(options.dataDir, "backup_label"), "utf8")).toContain(
    "LABEL: it's mine",
  );
  expect((await stat(options.dataDir)).mode & 0o777).toBe(0o700);

  await using copy = await startPostgres({ dataDir: options.dataDir, password: PASSWORD });
  expect(await copy.sql("select count(*)::int, sum(id)::int from kept")).toEqual([
    { count: 1000, sum: 500_500 },
  ]);
  expect(await readdir(options.parent)).toEqual(["copy"]);
});

test("copies tablespaces to the places that are given for them", async () => {
  const parent = await mkdtemp(join(tmpdir(), "mp tablespace "));
  onTestFinished(async () => await rm(parent, { recursive: true, force: true }));
  await chmod(parent, 0o755);
  const location = join(parent, "there");
  await mkdir(location);
  const { uid, gid } = await stat(primary.dataDir);
  if (process.getuid?.() === 0) {
    await chown(location, uid, gid);
  }
  await primary.sql(`create tablespace apart location '${location}'`);
  try {
    await primary.sql("create table moved tablespace apart as select 42 as answer");
    const unmapped = await backup();
    const error = await refusal(takeBaseBackup(unmapped));
    expect(error.code).toBe("TABLESPACE_UNMAPPED");
    expect(error.message).toContain(location);
    expect(await readdir(unmapped.parent)).toEqual([]);

    const options = await backup();
    const here = join(options.parent, "here");
    await takeBaseBackup({ ...options, tablespaces: { [location]: here } });
    await using copy = await startPostgres({ dataDir: options.dataDir, password: PASSWORD });
    expect(await copy.sql("select answer from moved")).toEqual([{ answer: 42 }]);
    expect(
      await copy.sql(
        "select pg_tablespace_location(oid) as place from pg_tablespace where spcname = 'apart'",
      ),
    ).toEqual([{ place: here }]);
  } finally {
    await primary.sql("drop table moved");
    await primary.sql("drop tablespace apart");
  }
});

test.each<[string, Partial<BaseBackupOptions>, string, RegExp]>([
  ["a relative place", { dataDir: "copy" }, "INVALID_ARGUMENT", /dataDir must be an absolute path/],
  ["a label of two lines", { label: "a\nb" }, "INVALID_ARGUMENT", /^label must be one line$/],
])("refuses %s", async (_name, options, code, message) => {
  const error = await refusal(takeBaseBackup(await backup(options)));
  expect(error.code).toBe(code);
  expect(error.message).toMatch(message);
});

test("refuses a wrong password and a user without replication, in the words of the source", async () => {
  const wrong = await backup({ source: sourceOf(primary, "wrong") });
  const refused = await refusal(takeBaseBackup(wrong));
  expect(refused.code).toBe("SOURCE_REFUSED");
  expect(refused.message).toContain("password authentication failed");
  await primary.sql(`create role plain login password '${PASSWORD.replaceAll("'", "''")}'`);
  const plain = await backup({ source: { ...sourceOf(primary), user: "plain" } });
  const error = await refusal(takeBaseBackup(plain));
  expect(error.code).toBe("SOURCE_REFUSED");
  expect(error.message).toMatch(/permission denied to start WAL sender|replication/);
  expect(await readdir(plain.parent)).toEqual([]);
});

test("refuses a place that is not empty, and leaves it as it is", async () => {
  const options = await backup();
  await mkdir(options.dataDir);
  await writeFile(join(options.dataDir, "holiday.jpg"), "");
  const error = await refusal(takeBaseBackup(options));
  expect(error.code).toBe("TARGET_UNUSABLE");
  expect(error.message).toMatch(/copy cannot be made: it is not empty$/);
  expect(await readdir(options.parent)).toEqual(["copy"]);
});

test("says that nobody listens", async () => {
  const options = await backup({
    source: { ...sourceOf(primary), address: { type: "socket", path: "/nowhere/.s.PGSQL.1" } },
  });
  expect((await refusal(takeBaseBackup(options))).code).toBe("SOURCE_UNAVAILABLE");
});

test("leaves nothing when it is aborted in the middle, and no session at the source", async () => {
  const options = await backup();
  const controller = new AbortController();
  const taken = refusal(takeBaseBackup(options, { signal: controller.signal }));
  await expect.poll(() => stagingOf(options.parent), { interval: 1, timeout: 20_000 }).toBe(true);
  controller.abort(new Error("enough"));
  expect(await taken).toMatchObject({ code: "CANCELLED", cause: { message: "enough" } });
  expect(await readdir(options.parent)).toEqual([]);
  const senders = async (): Promise<unknown[]> =>
    await primary.sql("select pid from pg_stat_activity where backend_type = 'walsender'");
  await expect.poll(senders, { timeout: 20_000 }).toEqual([]);
});

test("says that the source died in the middle", async () => {
  await using dying = await startPostgres({ auth: "scram-sha-256", password: PASSWORD });
  const options = await backup({ source: sourceOf(dying) });
  const taken = refusal(takeBaseBackup(options));
  await expect.poll(() => stagingOf(options.parent), { interval: 1, timeout: 20_000 }).toBe(true);
  await dying.kill();
  expect((await taken).code).toBe("SOURCE_UNAVAILABLE");
  expect(await readdir(options.parent)).toEqual([]);
});

function stagingOf(parent: string): boolean {
  return readdirSync(parent).some((name) => name.startsWith("copy.copy-"));
}
