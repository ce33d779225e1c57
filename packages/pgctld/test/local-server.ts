import { execFile } from "node:child_process";
import { randomInt } from "node:crypto";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { chmod, mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import pg from "pg";
import { afterAll, onTestFinished } from "vitest";
import { LocalPostgres, PgctldError } from "../src/index.ts";
import type { LocalPostgresOptions } from "../src/index.ts";
import { embedded } from "./installations.ts";
import { temporaryDirectory } from "./temporary-directory.ts";

/** What a test says of a server. */
export type ServerOptions = Partial<LocalPostgresOptions>;

/** The control of a server that the test has killed when it ends. */
export async function localPostgres(
  options: ServerOptions = {},
): Promise<{ postgres: LocalPostgres; options: LocalPostgresOptions }> {
  const stateDir = options.stateDir ?? (await temporaryDirectory());
  const whole: LocalPostgresOptions = {
    installation: embedded,
    stateDir,
    dataDir: join(stateDir, "data"),
    password: "sésame 'ouvre",
    port: await freePort(),
    durable: false,
    settings: { fsync: "off" },
    logger: { info: () => undefined, warn: () => undefined },
    ...options,
  };
  const postgres = new LocalPostgres(whole);
  onTestFinished(async () => await postgres.kill());
  return { postgres, options: whole };
}

/** The same, of a server that runs. */
export async function startedPostgres(
  options: ServerOptions = {},
): Promise<{ postgres: LocalPostgres; options: LocalPostgresOptions }> {
  for (;;) {
    const made = await localPostgres(options);
    await copyCluster(made.options);
    await made.postgres.initialize();
    try {
      await made.postgres.start();
      return made;
    } catch (error) {
      // Somebody else was quicker to take the port.
      if (!(error instanceof PgctldError) || error.code !== "PORT_IN_USE") {
        throw error;
      }
    }
  }
}

/** By the directory of the programs: clusters of this test file to copy, for initdb takes seconds. */
const templates = new Map<string, Promise<string>>();

/** Puts a copy of a cluster where there is none, unless it is to differ from all others. */
async function copyCluster(options: LocalPostgresOptions): Promise<void> {
  const { installation, dataDir, osUser, access } = options;
  if (osUser !== undefined || access !== undefined || existsSync(dataDir)) {
    return;
  }
  const { binDir } = installation;
  const template = templates.get(binDir) ?? makeTemplate(options);
  templates.set(binDir, template);
  await promisify(execFile)("cp", ["-a", await template, dataDir]);
}

async function makeTemplate(options: LocalPostgresOptions): Promise<string> {
  const stateDir = await mkdtemp(join(tmpdir(), "mp template "));
  await chmod(stateDir, 0o755);
  removed.push(stateDir);
  const dataDir = join(stateDir, "data");
  await new LocalPostgres({ ...options, stateDir, dataDir }).initialize();
  return dataDir;
}

const removed: string[] = [];
afterAll(async () => {
  for (const directory of removed) {
    await rm(directory, { recursive: true });
  }
});

/** Runs one statement as the superuser. */
export async function sql(
  { port, password }: LocalPostgresOptions,
  statement: string,
): Promise<unknown[]> {
  const client = new pg.Client({ host: "127.0.0.1", port, user: "postgres", password });
  client.on("error", () => undefined);
  await client.connect();
  try {
    const { rows } = await client.query<Record<string, unknown>>(statement);
    return rows;
  } finally {
    await client.end();
  }
}

/** A session that computes for hours without waiting for anything: it does not notice a death. */
export async function busySession({ port, password }: LocalPostgresOptions): Promise<void> {
  const client = new pg.Client({ host: "127.0.0.1", port, user: "postgres", password });
  client.on("error", () => undefined);
  await client.connect();
  const computing = Promise.withResolvers<void>();
  client.on("notice", () => computing.resolve());
  const text = `do $$ begin raise notice 'computing'; perform count(*) from generate_series(1, 1e12::bigint); end $$`;
  client.query(text).catch(() => undefined);
  await computing.promise;
}

/** The error that a call rejects with. */
export async function refusal(call: Promise<unknown>): Promise<PgctldError> {
  const error: unknown = await call.then(
    () => undefined,
    (cause: unknown) => cause,
  );
  if (error instanceof PgctldError) {
    return error;
  }
  throw new Error("it was not refused", { cause: error });
}

/** Below the ports that systems give to outgoing connections. */
async function freePort(): Promise<number> {
  for (;;) {
    const server = createServer();
    const port = randomInt(20_000, 32_000);
    try {
      server.listen(port, "127.0.0.1");
      await once(server, "listening");
      return port;
    } catch {
      continue;
    } finally {
      server.close();
    }
  }
}
