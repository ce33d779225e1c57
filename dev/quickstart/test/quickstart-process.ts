import { spawn } from "node:child_process";
import type { ChildProcessByStdio } from "node:child_process";
import { randomInt } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { fileURLToPath } from "node:url";
import { findFreePort } from "@multipooler/test-postgres";
import { expect, onTestFinished } from "vitest";
import { membersIn, portsOf } from "../src/members.ts";
import type { Ports } from "../src/options.ts";
import { placesIn } from "../src/places.ts";
import type { Places } from "../src/places.ts";
import { isListening } from "../src/probe.ts";
import { isAlive, sendSignal } from "../src/processes.ts";
import { readState } from "../src/state.ts";

const PROGRAM = fileURLToPath(new URL("../src/main.ts", import.meta.url));

/** A directory and ports of its own; all that a quickstart in it leaves behind goes with the test. */
export class Site {
  readonly directory: string;
  readonly places: Places;
  readonly ports: Ports;

  private constructor(directory: string, ports: Ports) {
    this.directory = directory;
    this.places = placesIn(directory);
    this.ports = ports;
  }

  static async create(replicas = 0): Promise<Site> {
    const directory = await mkdtemp(join(tmpdir(), "mp quickstart "));
    const ports = replicas === 0 ? await freePorts() : await freeBlock(replicas);
    const site = new Site(directory, ports);
    onTestFinished(async () => {
      await site.#endOrphans(replicas);
      await rm(directory, { recursive: true, force: true });
    });
    return site;
  }

  /** Ends what a start that was killed has left. */
  async #endOrphans(replicas: number): Promise<void> {
    const state = await readState(this.places.state);
    for (const pid of state === undefined ? [] : [state.pooler, ...state.replicas]) {
      sendSignal(pid, "SIGKILL");
    }
    for (const { places } of membersIn(this.directory, this.ports, replicas)) {
      const pid = await serverPid(places).catch(() => 0);
      if (pid > 0 && isAlive(pid)) {
        sendSignal(pid, "SIGQUIT");
        await untilGone(pid);
      }
    }
  }

  /** Runs `npm start` here, as a process of its own. */
  start(...more: readonly string[]): QuickstartProcess {
    const { postgres, http, grpc, psql } = this.ports;
    return new QuickstartProcess([
      `--directory=${this.directory}`,
      `--postgres-port=${postgres}`,
      `--http-port=${http}`,
      `--grpc-port=${grpc}`,
      `--psql-port=${psql}`,
      ...more,
    ]);
  }

  /** The process id of PostgreSQL, from its lock file. */
  async postgresPid(): Promise<number> {
    return await serverPid(this.places);
  }

  /** The process ids of the poolers of replicas, from the state. */
  async replicaPids(): Promise<readonly number[]> {
    return (await readState(this.places.state))?.replicas ?? [];
  }

  /** The process id of the pooler, from the state. */
  async poolerPid(): Promise<number> {
    const state = await readState(this.places.state);
    if (state === undefined) {
      throw new Error("no state is written down");
    }
    return state.pooler;
  }
}

async function freePorts(): Promise<Ports> {
  return {
    postgres: await findFreePort(),
    http: await findFreePort(),
    grpc: await findFreePort(),
    psql: await findFreePort(),
  };
}

/** Blocks of ports where nobody else looks for single ones: those of replicas are at fixed distances. */
const BLOCK = 100;
const FIRST_BLOCK = 120;
const BLOCKS_END = 200;

async function freeBlock(replicas: number): Promise<Ports> {
  for (;;) {
    const base = randomInt(FIRST_BLOCK, BLOCKS_END) * BLOCK;
    const ports = { postgres: base, http: base + 1, grpc: base + 2, psql: base + 3 };
    const all = [ports, ...Array.from({ length: replicas }, (_, at) => portsOf(ports, at + 1))];
    const taken = await Promise.all(
      all
        .flatMap(({ postgres, http, grpc, psql }) => [postgres, http, grpc, psql])
        .map((port) => isListening(port)),
    );
    if (!taken.includes(true)) {
      return ports;
    }
  }
}

/** One `npm start`. */
export class QuickstartProcess {
  readonly #child: ChildProcessByStdio<null, Readable, Readable>;
  readonly #outputChanged = new Set<() => void>();
  /** Resolves with the exit code. */
  readonly ended: Promise<number | null>;
  output = "";
  complaints = "";

  constructor(args: readonly string[]) {
    const child = spawn(process.execPath, [PROGRAM, ...args], {
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.#child = child;
    this.ended = once(child, "close").then(() => child.exitCode);
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      this.output += text;
      for (const listener of this.#outputChanged) {
        listener();
      }
    });
    child.stderr.setEncoding("utf8").on("data", (text: string) => (this.complaints += text));
    onTestFinished(async () => {
      child.kill("SIGKILL");
      await this.ended;
    });
  }

  /** Resolves when it has printed this; rejects when it ends without. */
  async printed(text: string): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const check = (): void => {
      if (this.output.includes(text)) {
        resolve();
      }
    };
    this.#outputChanged.add(check);
    check();
    void this.ended.then((code) =>
      reject(new Error(`ended with ${code}: ${this.output}\n${this.complaints}`)),
    );
    try {
      await promise;
    } finally {
      this.#outputChanged.delete(check);
    }
  }

  /** Sends a signal and resolves with the exit code. */
  async stop(signal: NodeJS.Signals): Promise<number | null> {
    this.#child.kill(signal);
    return await this.ended;
  }
}

/** The process id of a member's PostgreSQL, from its lock file. */
export async function serverPid({ data }: Places): Promise<number> {
  return Number.parseInt(await readFile(join(data, "postmaster.pid"), "utf8"), 10);
}

/** True when each of these processes has ended. */
export function allGone(...pids: readonly number[]): boolean {
  return !pids.some(isAlive);
}

/** Resolves when each of these processes has ended: those of no living parent are collected by the system. */
export async function untilGone(...pids: readonly number[]): Promise<void> {
  await expect.poll(() => allGone(...pids), { timeout: 10_000 }).toBe(true);
}
