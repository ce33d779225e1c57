import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { PgctldError, RemotePostgres } from "@multipooler/pgctld";
import { findFreePort } from "@multipooler/test-postgres";
import { expect, onTestFinished, test } from "vitest";
import { EMBEDDED, Site } from "./site.ts";

const MAIN = new URL("../src/main.ts", import.meta.url).pathname;

/** A daemon in a process of its own. */
class Daemon {
  readonly #process: ChildProcess;
  complaints = "";

  constructor(site: Site, args: readonly string[]) {
    this.#process = spawn(process.execPath, [MAIN, "server", ...site.flags, ...args], {
      env: { ...site.env },
      stdio: ["ignore", "ignore", "pipe"],
    });
    this.#process.stderr?.setEncoding("utf8");
    this.#process.stderr?.on("data", (text: string) => {
      this.complaints += text;
    });
    onTestFinished(() => void this.#process.kill("SIGKILL"));
  }

  /** Resolves when the daemon takes calls. */
  async ready(): Promise<void> {
    await expect.poll(() => this.complaints, { timeout: 30_000 }).toContain("pgctld is ready");
  }

  async end(signal?: NodeJS.Signals): Promise<number | null> {
    if (signal !== undefined) {
      this.#process.kill(signal);
    }
    if (this.#process.exitCode === null && this.#process.signalCode === null) {
      await once(this.#process, "close");
    }
    return this.#process.exitCode;
  }
}

test(
  "controls PostgreSQL with Multigres' launch line, and may come and go",
  { timeout: 90_000 },
  async () => {
    const site = await Site.create(EMBEDDED);
    const [grpcPort, httpPort] = [await findFreePort(), await findFreePort()];
    const line = [
      `--grpc-port=${grpcPort}`,
      `--http-port=${httpPort}`,
      "--timeout=60",
      "--pgbackrest-port=18431",
      "--pgbackrest-cert-dir=/nowhere",
      "--bind-address=127.0.0.1",
      "--grpc-bind-address=127.0.0.1",
      "--pg-listen-addresses=127.0.0.1",
      "--log-output=stderr",
    ];
    const first = new Daemon(site, line);
    await first.ready();
    expect(first.complaints).toContain('"flag":"--pgbackrest-port"');
    const ready = await fetch(`http://127.0.0.1:${httpPort}/ready`);
    expect([ready.status, await ready.text()]).toEqual([200, "ok\n"]);

    using postgres = new RemotePostgres(`127.0.0.1:${grpcPort}`);
    expect(await postgres.status()).toMatchObject({ state: "not-initialized", port: site.port });
    expect(await postgres.initialize()).toEqual({ alreadyInitialized: false });
    const { pid } = await postgres.start({ role: "primary" });
    await site.sql("create table kept as select 42 as answer");

    const second = new Daemon(site, ["--grpc-port", String(await findFreePort())]);
    expect(await second.end()).toBe(1);
    expect(second.complaints).toMatch(/daemon\.lock is locked: process \d+ is the pgctld of this/);

    await first.end("SIGKILL");
    const refused = await postgres.status().catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(PgctldError);
    expect(refused).toMatchObject({ code: "DAEMON_UNAVAILABLE" });
    expect(await site.sql("select answer from kept")).toEqual([{ answer: 42 }]);

    const socket = join(site.directory, "pgctld.sock");
    const third = new Daemon(site, [`--grpc-socket-file=${socket}`]);
    await third.ready();
    using again = new RemotePostgres(`unix:${socket}`);
    expect(await again.status()).toMatchObject({ state: "running", ready: true, pid });
    expect(await again.start()).toEqual({ pid, alreadyRunning: true, recovered: false });
    expect(await third.end("SIGTERM")).toBe(0);
    expect(await site.sql("select answer from kept")).toEqual([{ answer: 42 }]);
    const log = await readFile(join(site.directory, "postgresql.log"), "utf8");
    expect(log).not.toMatch(/shutting down/);
  },
);
