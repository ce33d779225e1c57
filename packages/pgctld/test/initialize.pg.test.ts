import { spawn } from "node:child_process";
import { chmod, cp, mkdir, readdir, readFile, stat, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";
import { readControlFile } from "../src/directory/control-file.ts";
import { leastPrivilege, unprivilegedUser, userNamed } from "../src/run/run-as.ts";
import { embedded, installations } from "./installations.ts";
import { localPostgres, refusal, sql, startedPostgres } from "./local-server.ts";
import { temporaryDirectory } from "./temporary-directory.ts";

const isRoot = process.getuid?.() === 0;

test.each(installations)(
  "makes a data directory of PostgreSQL $version, once",
  async (installation) => {
    const { postgres, options } = await localPostgres({ installation });
    expect(await postgres.status()).toEqual({
      state: "not-initialized",
      dataDir: options.dataDir,
      port: options.port,
      socketDir: join(options.stateDir, "pg_sockets"),
      version: installation.version,
    });
    expect(await postgres.initialize()).toEqual({ alreadyInitialized: false });
    expect(await postgres.initialize()).toEqual({ alreadyInitialized: true });
    expect(await postgres.status()).toMatchObject({ state: "stopped", cluster: "shut down" });
    expect(await readdir(options.stateDir)).not.toContain("password");
    const { systemIdentifier, timeline } = await readControlFile(options.dataDir);
    expect([systemIdentifier > 0n, timeline]).toEqual([true, 1]);
  },
);

test("writes who may connect: this machine, the networks that are named, and how", async () => {
  const { postgres, options } = await localPostgres({
    access: { networks: ["10.1.0.0/16", "fd00::/8", "samenet"] },
  });
  await postgres.initialize({ local: "peer", host: "trust" });
  const lines = (await readFile(join(options.dataDir, "pg_hba.conf"), "utf8"))
    .split("\n")
    .filter((line) => line !== "" && !line.startsWith("#"))
    .map((line) => line.split(/\s+/).join(" "));
  expect(lines).toEqual([
    "local all all peer",
    "local replication all peer",
    "host all all 127.0.0.1/32 trust",
    "host replication all 127.0.0.1/32 trust",
    "host all all ::1/128 trust",
    "host replication all ::1/128 trust",
    "host all all 10.1.0.0/16 scram-sha-256",
    "host replication all 10.1.0.0/16 scram-sha-256",
    "host all all fd00::/8 scram-sha-256",
    "host replication all fd00::/8 scram-sha-256",
    "host all all samenet scram-sha-256",
    "host replication all samenet scram-sha-256",
  ]);
});

test("runs PostgreSQL as another user under root, and keeps the password to it", async () => {
  const { options } = await startedPostgres();
  const { uid } = await stat(options.dataDir);
  expect(uid === 0).toBe(false);
  const passwordFile = await stat(join(options.stateDir, "pgpass"));
  expect([passwordFile.uid, passwordFile.mode & 0o777]).toEqual([uid, 0o600]);
});

test("runs as the user that it is given under root", { skip: !isRoot }, async () => {
  const osUser = await userNamed("daemon");
  const { options } = await startedPostgres({ osUser });
  expect(await stat(options.dataDir)).toMatchObject({ ...osUser });
  expect(await sql(options, "select 1 as one")).toEqual([{ one: 1 }]);
});

test("says why nobody can be the user that it is given", { skip: !isRoot }, async () => {
  const { postgres } = await localPostgres({ osUser: { uid: 12_345, gid: 12_345 } });
  const error = await refusal(postgres.initialize());
  expect(error.code).toBe("NOT_PERMITTED");
  expect(error.message).toMatch(/user 12345 .*could not look up effective user ID 12345/);
});

test("reaches a data directory below one that is closed to others", { skip: !isRoot }, async () => {
  const stateDir = await temporaryDirectory({ mode: 0o700 });
  const { options } = await startedPostgres({ stateDir });
  expect(await sql(options, "select 1 as one")).toEqual([{ one: 1 }]);
  expect((await stat(options.dataDir)).uid).not.toBe(0);
});

test("reaches programs below a directory that is closed to others", { skip: !isRoot }, async () => {
  const closed = await temporaryDirectory({ mode: 0o700 });
  await cp(dirname(embedded.binDir), join(closed, "native"), {
    recursive: true,
    verbatimSymlinks: true,
  });
  const directory = await temporaryDirectory();
  const initdb = join(closed, "native", "bin", "initdb");
  const user = await unprivilegedUser(undefined, undefined);
  const found = await leastPrivilege(user, { initdb, directory });
  expect(found).toMatchObject({ capability: "dac_read_search" });
  await chmod(initdb, 0o700);
  const overriding = await leastPrivilege(user, { initdb, directory });
  expect(overriding).toMatchObject({ capability: "dac_override" });
  await chmod(initdb, 0o600);
  await expect(leastPrivilege(user, { initdb, directory })).rejects.toMatchObject({
    code: "NOT_PERMITTED",
  });
});

test("uses an empty directory that is there already", async () => {
  const stateDir = await temporaryDirectory();
  await mkdir(join(stateDir, "data"));
  const { options } = await startedPostgres({ stateDir });
  expect(await sql(options, "select 1 as one")).toEqual([{ one: 1 }]);
});

const refused: {
  name: string;
  code: string;
  message: RegExp;
  make: (dir: string) => Promise<void>;
}[] = [
  {
    name: "of another version",
    code: "WRONG_VERSION",
    message: /was made by PostgreSQL 16, and this is PostgreSQL 17/,
    make: async (dir) => await writeFile(join(dir, "PG_VERSION"), "16\n"),
  },
  {
    name: "with other files in it",
    code: "DIRECTORY_UNUSABLE",
    message: /no PG_VERSION/,
    make: async (dir) => await writeFile(join(dir, "holiday.jpg"), ""),
  },
  {
    name: "with a version that is none",
    code: "DIRECTORY_UNUSABLE",
    message: /its PG_VERSION is "seventeen"/,
    make: async (dir) => await writeFile(join(dir, "PG_VERSION"), "seventeen\n"),
  },
  {
    name: "without permissions for its owner",
    code: "DIRECTORY_UNUSABLE",
    message: isRoot ? /may not read and write/ : /EACCES/,
    make: async (dir) => await chmod(dir, 0o000),
  },
];

test.each(refused)("refuses a directory $name, in one line", async ({ code, message, make }) => {
  const { postgres, options } = await localPostgres();
  await mkdir(options.dataDir, { mode: 0o700 });
  await make(options.dataDir);
  for (const call of [() => postgres.initialize(), () => postgres.start()]) {
    const error = await refusal(call());
    expect(error.code).toBe(code);
    expect(error.message).toMatch(message);
    expect(error.message).toMatch(/^[^\n]+$/);
    expect(error.message).toContain(options.dataDir);
  }
});

test("refuses to start a damaged cluster, or one of root's", async () => {
  const { postgres, options } = await localPostgres();
  await mkdir(options.dataDir, { mode: 0o700 });
  await writeFile(join(options.dataDir, "PG_VERSION"), "17\n");
  const error = await refusal(postgres.start());
  expect(error.code).toBe(isRoot ? "DIRECTORY_UNUSABLE" : "START_FAILED");
  expect(error.message).toMatch(isRoot ? /belongs to root/ : /pg_control|data directory/);
});

test("refuses a file, and a place below a file", async () => {
  const stateDir = await temporaryDirectory();
  const file = join(stateDir, "file");
  await writeFile(file, "");
  for (const dataDir of [file, join(file, "data")]) {
    const { postgres } = await localPostgres({ stateDir, dataDir });
    expect((await refusal(postgres.initialize())).code).toBe("DIRECTORY_UNUSABLE");
  }
});

test("passes on what initdb complains about, and leaves nothing", async () => {
  const { postgres, options } = await localPostgres({ user: "pg_reserved" });
  const error = await refusal(postgres.initialize());
  expect(error.code).toBe("INITDB_FAILED");
  expect(error.message).toMatch(/superuser name "pg_reserved" is disallowed/);
  await expect(stat(options.dataDir)).rejects.toMatchObject({ code: "ENOENT" });
});

test("makes a data directory once when two want it at the same time", async () => {
  const { postgres, options } = await localPostgres();
  const { postgres: other } = await localPostgres({ ...options });
  const results = await Promise.all([postgres.initialize(), other.initialize()]);
  expect(results.filter(({ alreadyInitialized }) => alreadyInitialized)).toHaveLength(1);
  const left = (await readdir(options.stateDir)).filter((name) => name.startsWith("data"));
  expect(left).toEqual(["data"]);
});

test("leaves nothing when it is aborted while the data is being made, or before", async () => {
  const { postgres, options } = await localPostgres();
  const controller = new AbortController();
  const made = refusal(postgres.initialize({}, { signal: controller.signal }));
  const entries = async (): Promise<string[]> =>
    (await readdir(options.stateDir)).filter((name) => name.startsWith("data"));
  // The staging directory appears beside the data directory as soon as the work has begun.
  await expect.poll(entries, { interval: 2, timeout: 10_000 }).toHaveLength(1);
  controller.abort(new Error("enough"));
  expect(await made).toMatchObject({ code: "CANCELLED", cause: { message: "enough" } });
  expect((await refusal(postgres.initialize({}, { signal: controller.signal }))).code).toBe(
    "CANCELLED",
  );
  expect(await entries()).toEqual([]);
});

test("says so when another process works on the directory, and does not wait for ever", async () => {
  const { postgres, options } = await localPostgres({ lockTimeoutMs: 0 });
  const lockFile = join(options.stateDir, "pgctld.lock");
  const lock = new URL("../src/directory/directory-lock.ts", import.meta.url).href;
  const script = `
    import { DirectoryLock } from ${JSON.stringify(lock)};
    await DirectoryLock.take({ path: ${JSON.stringify(lockFile)}, purpose: "sleeps", waitMs: 0 });
    console.log("locked");
    process.stdin.resume();
  `;
  const other = spawn(process.execPath, ["--input-type=module", "--eval", script], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  await new Promise((resolve) => other.stdout.once("data", resolve));
  expect(await refusal(postgres.initialize())).toMatchObject({
    code: "BUSY",
    message: `${lockFile} is locked: process ${other.pid} sleeps`,
  });
  other.kill("SIGKILL");
  await new Promise((resolve) => other.once("close", resolve));
  expect(await postgres.initialize()).toEqual({ alreadyInitialized: false });
});
