import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { findFreePort } from "@multipooler/test-postgres";
import type { Address } from "./pgbench.ts";

/** PgBouncer refuses to run as root. */
const UNPRIVILEGED_USER = "nobody";

export interface PgbouncerOptions {
  readonly program: string;
  readonly postgres: Address;
  readonly poolSize: number;
  readonly maxClients: number;
}

/** A PgBouncer in transaction mode, with prepared statements, in front of a PostgreSQL that trusts. */
export class Pgbouncer implements AsyncDisposable {
  readonly address: Address;
  readonly pid: number;
  readonly #child: ChildProcess;
  readonly #folder: string;

  private constructor(address: Address, child: ChildProcess, pid: number, folder: string) {
    this.address = address;
    this.pid = pid;
    this.#child = child;
    this.#folder = folder;
  }

  /** Resolves when it takes clients; rejects with its last words if it ends before. */
  static async start(options: PgbouncerOptions): Promise<Pgbouncer> {
    const address: Address = {
      host: "127.0.0.1",
      port: await findFreePort(),
      user: options.postgres.user,
    };
    const folder = await mkdtemp(join(tmpdir(), "pgbouncer-"));
    try {
      const file = await writeConfig(folder, address, options);
      const child = spawn(options.program, [...userFlags(), file], {
        stdio: ["ignore", "ignore", "pipe"],
      });
      await running(child);
      return new Pgbouncer(address, child, pidOf(child), folder);
    } catch (error) {
      await rm(folder, { recursive: true });
      throw error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<unknown>();
    this.#child.once("close", resolve);
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      // At once: the clients are gone.
      this.#child.kill("SIGKILL");
      await promise;
    }
    await rm(this.#folder, { recursive: true });
  }
}

function userFlags(): readonly string[] {
  return process.getuid?.() === 0 ? ["--user", UNPRIVILEGED_USER] : [];
}

async function writeConfig(
  folder: string,
  { host, port, user }: Address,
  { postgres, poolSize, maxClients }: PgbouncerOptions,
): Promise<string> {
  const users = join(folder, "users.txt");
  const file = join(folder, "pgbouncer.ini");
  await writeFile(users, `"${user}" ""\n`);
  await writeFile(
    file,
    `[databases]
postgres = host=${postgres.host} port=${postgres.port} dbname=postgres
[pgbouncer]
listen_addr = ${host}
listen_port = ${port}
unix_socket_dir =
auth_type = trust
auth_file = ${users}
pool_mode = transaction
default_pool_size = ${poolSize}
max_client_conn = ${maxClients}
max_prepared_statements = 100
log_connections = 0
log_disconnections = 0
log_stats = 0
`,
  );
  // For the user that it becomes.
  await chmod(folder, 0o755);
  return file;
}

async function running(child: ChildProcess): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const said: string[] = [];
  child.once("error", reject);
  if (child.stderr !== null) {
    createInterface(child.stderr).on("line", (line) => {
      said.push(line);
      if (line.includes("process up")) {
        resolve();
      }
    });
  }
  child.once("close", () => reject(new Error(`PgBouncer ended: ${said.join("\n")}`)));
  await promise;
}

function pidOf({ pid }: ChildProcess): number {
  if (pid === undefined) {
    throw new TypeError("a process that runs has a PID");
  }
  return pid;
}
