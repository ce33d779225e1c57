import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { programEnvironment } from "@multipooler/pooler-process";

const STOP_LIMIT_MS = 15_000;

/** Which PostgreSQL a daemon controls, and what Node is started with. */
export interface DaemonOptions {
  /** Of the server: its log, its lock, its data in `pg_data`. */
  readonly stateDir: string;
  /** The programs of PostgreSQL. */
  readonly programs: string;
  readonly port: number;
  readonly settings: Readonly<Record<string, string>>;
  readonly password: string;
  readonly nodeOptions: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

/** `pgctld server` as a process of its own, as operators run it. */
export class DaemonProcess implements AsyncDisposable {
  /** As `--pgctld-addr` has it; the same in each run. */
  readonly address: string;
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess, address: string) {
    this.#child = child;
    this.address = address;
  }

  /** Resolves when it takes calls. */
  static async start(options: DaemonOptions): Promise<DaemonProcess> {
    const { stateDir, programs, port, settings, password, nodeOptions, env } = options;
    const socket = join(stateDir, "pgctld.sock");
    const program = fileURLToPath(
      new URL("dist/main.js", import.meta.resolve("@multipooler/pgctld-daemon/package.json")),
    );
    const flags = [
      `--pooler-dir=${stateDir}`,
      `--pg-bin-dir=${programs}`,
      `--pg-port=${port}`,
      `--grpc-socket-file=${socket}`,
      ...Object.entries(settings).map(([name, value]) => `--pg-setting=${name}=${value}`),
    ];
    const child = spawn(process.execPath, [...nodeOptions, program, "server", ...flags], {
      env: { ...programEnvironment(), ...env, POSTGRES_PASSWORD: password },
      stdio: ["ignore", "ignore", "pipe"],
    });
    const daemon = new DaemonProcess(child, `unix:${socket}`);
    let complaints = "";
    const ready = Promise.withResolvers<void>();
    createInterface(child.stderr).on("line", (line) => {
      complaints += line;
      if (line.includes("pgctld is ready")) {
        ready.resolve();
      }
    });
    child.once("close", () => ready.reject(new Error(`pgctld ended: ${complaints}`)));
    await ready.promise;
    return daemon;
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** Resolves when it has ended. */
  async ended(): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      await once(this.#child, "close");
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const limit = setTimeout(() => this.#child.kill("SIGKILL"), STOP_LIMIT_MS);
    this.#child.kill("SIGTERM");
    await this.ended();
    clearTimeout(limit);
  }
}
