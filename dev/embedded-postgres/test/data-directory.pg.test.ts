import { chmod, cp, mkdir, readdir, stat, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import pg from "pg";
import { expect, onTestFinished, test, vi } from "vitest";
import { findBinaries } from "../src/binaries.ts";
import { prepareDataDirectory } from "../src/data-directory.ts";
import { EmbeddedPostgresError, startPostgres } from "../src/index.ts";
import type { EmbeddedPostgres } from "../src/index.ts";
import { temporaryDirectory } from "./temporary-directory.ts";

const isRoot = process.getuid?.() === 0;

test("asks for the password on TCP and on the unix socket under scram-sha-256", async () => {
  await using postgres = await startPostgres({ auth: "scram-sha-256", password: "sésame 'ouvre" });
  expect(await postgres.sql("show password_encryption")).toEqual([
    { password_encryption: "scram-sha-256" },
  ]);
  for (const host of [postgres.host, postgres.socketDir]) {
    const { port, user } = postgres;
    const client = new pg.Client({ host, port, user, password: "wrong" });
    await expect(client.connect()).rejects.toMatchObject({ code: "28P01" });
    await client.end();
  }
});

test("puts the socket into a short directory when the data directory's path is long", async () => {
  const dataDir = join(await temporaryDirectory(), "d".repeat(100), "data");
  const postgres = await startPostgres({ dataDir });
  expect(Buffer.byteLength(postgres.socketPath)).toBeLessThan(104);
  const client = new pg.Client({ host: postgres.socketDir, port: postgres.port, user: "postgres" });
  await client.connect();
  await client.end();
  await postgres[Symbol.asyncDispose]();
  await expect(stat(postgres.socketDir)).rejects.toMatchObject({ code: "ENOENT" });
  expect(await readdir(dataDir)).toContain("PG_VERSION");
});

test("runs PostgreSQL as another user under root", { skip: !isRoot }, async () => {
  const dataDir = join(await temporaryDirectory(), "data");
  await using postgres = await startPostgres({ dataDir });
  expect((await stat(dataDir)).uid).not.toBe(0);
  expect((await stat(`/proc/${postgres.pid}`)).uid).toBe((await stat(dataDir)).uid);
});

test("reaches a data directory below one that is closed to others", { skip: !isRoot }, async () => {
  const dataDir = join(await temporaryDirectory({ mode: 0o700 }), "data");
  {
    await using postgres = await startPostgres({ dataDir, auth: "scram-sha-256", password: "x" });
    await postgres.kill();
    await postgres.start();
    expect((await stat(dataDir)).uid).not.toBe(0);
  }
  await using postgres = await startPostgres({ dataDir, password: "x" });
  expect(await postgres.sql("select 1 as one")).toEqual([{ one: 1 }]);
});

test("reaches programs below a directory that is closed to others", { skip: !isRoot }, async () => {
  const closed = await temporaryDirectory({ mode: 0o700 });
  const native = dirname(dirname((await findBinaries()).initdb));
  await cp(native, join(closed, "native"), { recursive: true, verbatimSymlinks: true });
  const bin = join(closed, "native", "bin");
  const binaries = {
    initdb: join(bin, "initdb"),
    postgres: join(bin, "postgres"),
    majorVersion: 17,
  };
  const cluster = { auth: "trust", user: "postgres", password: "x", durable: false } as const;
  const open = await temporaryDirectory();

  const searching = await prepareDataDirectory(join(open, "1"), binaries, cluster);
  expect(searching).toMatchObject({ capability: "dac_read_search" });
  await chmod(binaries.initdb, 0o700);
  const overriding = await prepareDataDirectory(join(open, "2"), binaries, cluster);
  expect(overriding).toMatchObject({ capability: "dac_override" });
  await chmod(binaries.initdb, 0o600);
  await expect(prepareDataDirectory(join(open, "3"), binaries, cluster)).rejects.toMatchObject({
    code: "not-permitted",
  });
  expect(await readdir(open)).toEqual(["1", "2"]);
});

test("uses an empty directory that is there already", async () => {
  const dataDir = join(await temporaryDirectory(), "data");
  await mkdir(dataDir);
  await using postgres = await startPostgres({ dataDir });
  expect(await postgres.sql("select 1 as one")).toEqual([{ one: 1 }]);
});

const refused: {
  name: string;
  code: string;
  message: RegExp;
  make: (dir: string) => Promise<void>;
}[] = [
  {
    name: "made by another major version",
    code: "wrong-version",
    message: /made by PostgreSQL 16, and this is PostgreSQL 17/,
    make: async (dir) => await writeFile(join(dir, "PG_VERSION"), "16\n"),
  },
  {
    name: "with other files in it",
    code: "data-directory-unusable",
    message: /no PG_VERSION/,
    make: async (dir) => await writeFile(join(dir, "holiday.jpg"), ""),
  },
  {
    name: "without permissions for its owner",
    code: "data-directory-unusable",
    message: isRoot ? /may not read and write/ : /EACCES/,
    make: async (dir) => await chmod(dir, 0o000),
  },
  {
    name: "with a damaged cluster",
    code: isRoot ? "data-directory-unusable" : "start-failed",
    message: isRoot ? /belongs to root/ : /postgresql\.conf/,
    make: async (dir) => await writeFile(join(dir, "PG_VERSION"), "17\n"),
  },
];

test.each(refused)("refuses a directory $name, in one line", async ({ code, message, make }) => {
  const dataDir = join(await temporaryDirectory(), "data");
  await mkdir(dataDir, { mode: 0o700 });
  await make(dataDir);
  const error = await refusal(startPostgres({ dataDir }));
  expect(error.code).toBe(code);
  expect(error.message).toMatch(message);
  expect(error.message).toMatch(/^[^\n]+$/);
  expect(error.message).toContain(dataDir);
});

test("makes a data directory once when two want it at the same time", async () => {
  const parent = await temporaryDirectory();
  const dataDir = join(parent, "data");
  const starts = await Promise.allSettled([startPostgres({ dataDir }), startPostgres({ dataDir })]);
  const failed = starts.filter((start) => start.status === "rejected");
  expect(failed).toMatchObject([{ reason: { name: "EmbeddedPostgresError" } }]);
  for (const start of starts) {
    if (start.status === "fulfilled") {
      await start.value[Symbol.asyncDispose]();
    }
  }
  expect(await readdir(parent)).toEqual(["data"]);
});

test("refuses a file, and a place below a file", async () => {
  const file = join(await temporaryDirectory(), "data");
  await writeFile(file, "");
  for (const dataDir of [file, join(file, "data")]) {
    await expect(startPostgres({ dataDir })).rejects.toMatchObject({
      code: "data-directory-unusable",
    });
  }
});

test("passes on what initdb complains about", async () => {
  const dataDir = join(await temporaryDirectory(), "data");
  const error = await refusal(startPostgres({ dataDir, user: "pg_reserved" }));
  expect(error.code).toBe("initdb-failed");
  expect(error.message).toMatch(/superuser name "pg_reserved" is disallowed/);
  await expect(stat(dataDir)).rejects.toMatchObject({ code: "ENOENT" });
});

test("says in PostgreSQL's words why it does not start", async () => {
  const error = await refusal(startPostgres({ settings: { max_connections: "many" } }));
  expect(error.code).toBe("start-failed");
  expect(error.message).toMatch(/: invalid value for parameter "max_connections": "many"$/);
});

test("leaves nothing when it is aborted while the data is being made, or before", async () => {
  const parent = await temporaryDirectory();
  const dataDir = join(parent, "data");
  const temporaryFiles = await temporaryDirectory();
  vi.stubEnv("TMPDIR", temporaryFiles);
  onTestFinished(() => void vi.unstubAllEnvs());
  const controller = new AbortController();
  const started = startPostgres({ dataDir }, { signal: controller.signal });
  // The staging directory appears beside the data directory as soon as the work has begun.
  await expect
    .poll(async () => (await readdir(parent)).length, { interval: 2, timeout: 10_000 })
    .toBe(1);
  controller.abort(new Error("enough"));
  await expect(started).rejects.toThrow("enough");
  await expect(startPostgres({}, { signal: controller.signal })).rejects.toThrow("enough");
  expect(await readdir(parent)).toEqual([]);
  expect(await readdir(temporaryFiles)).toEqual([]);
});

test("leaves no server when it is aborted while the server starts", async () => {
  const dataDir = join(await temporaryDirectory(), "data");
  await (await startPostgres({ dataDir }))[Symbol.asyncDispose]();
  const controller = new AbortController();
  const log = (line: string): void => {
    if (line.includes("starting PostgreSQL")) {
      controller.abort(new Error("enough"));
    }
  };
  await expect(startPostgres({ dataDir, log }, { signal: controller.signal })).rejects.toThrow(
    "enough",
  );
  await using postgres = await startPostgres({ dataDir });
  expect(await postgres.sql("select 1 as one")).toEqual([{ one: 1 }]);
});

async function refusal(start: Promise<EmbeddedPostgres>): Promise<EmbeddedPostgresError> {
  try {
    await using _ = await start;
  } catch (error) {
    if (error instanceof EmbeddedPostgresError) {
      return error;
    }
    throw error;
  }
  throw new Error("it started");
}
