import { chmod, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { embeddedBinDir } from "@multipooler/pgctld";
import { binariesModule } from "@multipooler/postgres-binaries";
import { findFreePort } from "@multipooler/test-postgres";
import pg from "pg";
import { onTestFinished } from "vitest";
import { runProgram } from "../src/program.ts";

const PASSWORD = "it's a secret";

/** The programs of PostgreSQL 17 from npm, which have no pg_rewind, and those of Debian's 15. */
export const EMBEDDED: string = await embeddedBinDir(binariesModule);
export const DEBIAN = "/usr/lib/postgresql/15/bin";

/** What a command printed, and its exit code. */
export interface Ran {
  readonly code: number;
  readonly output: string;
  readonly complaints: string;
}

/** Runs a command line in this process. */
export async function run(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<Ran> {
  const printed: string[] = [];
  const complained: string[] = [];
  const code = await runProgram(args, {
    env,
    print: (line) => printed.push(line),
    complain: (line) => complained.push(line),
  });
  return { code, output: printed.join("\n"), complaints: complained.join("\n") };
}

/** A directory with a PostgreSQL in it, which ends with the test. */
export class Site {
  readonly directory: string;
  readonly port: number;
  readonly binDir: string;
  readonly env: Readonly<Record<string, string>> = {
    POSTGRES_PASSWORD: PASSWORD,
    PATH: "/usr/bin:/bin",
  };

  private constructor(directory: string, port: number, binDir: string) {
    this.directory = directory;
    this.port = port;
    this.binDir = binDir;
  }

  static async create(binDir: string): Promise<Site> {
    const directory = await mkdtemp(join(tmpdir(), "mp pgctld "));
    await chmod(directory, 0o755);
    onTestFinished(async () => await rm(directory, { recursive: true, force: true }));
    const site = new Site(directory, await findFreePort(), binDir);
    onTestFinished(async () => void (await site.run("stop", "--mode", "immediate")));
    return site;
  }

  /** The flags that every command has. */
  get flags(): readonly string[] {
    return [
      `--pooler-dir=${this.directory}`,
      `--pg-bin-dir=${this.binDir}`,
      `--pg-port=${this.port}`,
      "--pg-setting=fsync=off",
      "--pg-setting=full_page_writes=on",
    ];
  }

  async run(command: string, ...args: readonly string[]): Promise<Ran> {
    return await run([command, ...this.flags, ...args], this.env);
  }

  /** Runs a command that has to succeed. */
  async mustRun(command: string, ...args: readonly string[]): Promise<string> {
    const { code, output, complaints } = await this.run(command, ...args);
    if (code !== 0) {
      throw new Error(`${command}: ${complaints}`);
    }
    return output;
  }

  async sql(statement: string): Promise<unknown[]> {
    const { port } = this;
    const client = new pg.Client({ host: "127.0.0.1", port, user: "postgres", password: PASSWORD });
    client.on("error", () => undefined);
    await client.connect();
    try {
      const { rows } = await client.query<Record<string, unknown>>(statement);
      return rows;
    } finally {
      await client.end();
    }
  }
}
