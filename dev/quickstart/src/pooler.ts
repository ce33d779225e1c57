import { spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, existsSync, openSync, writeFileSync } from "node:fs";
import { formatConnInfo } from "@multipooler/pgctld";
import { programPath } from "@multipooler/pooler-process";
import type { Member } from "./members.ts";
import { controlAddress } from "./process-control.ts";
import { isAlive, sendSignal } from "./processes.ts";

/** The pooler's own deadline for a graceful stop is 30 s. */
const STOP_DEADLINE_MS = 35_000;
const ADOPTED_POLL_MS = 100;

/** Of a new pooler: nothing is set, and it says how to. */
const EMPTY_SETTINGS = `# Settings of the pooler; npm start gives its ports and paths itself. All there are: docs/settings.md
# "npm run ctl -- reload" applies what you change here, or says what waits for a restart.
# connpool-global-capacity: 20
`;

/** A pooler that runs as a process of its own. */
export interface Pooler {
  readonly pid: number;
  /** Resolves with how it ended, in words. */
  readonly ended: Promise<string>;
  /** Ends it in good order, by force when that takes too long. */
  stop(): Promise<void>;
}

/**
 * Starts the shipped program in front of a member's PostgreSQL. It is killed if this process exits
 * without stopping it.
 */
export async function startPooler(member: Member): Promise<Pooler> {
  const { poolerLog, poolerSettings } = member.places;
  if (!existsSync(poolerSettings)) {
    writeFileSync(poolerSettings, EMPTY_SETTINGS);
  }
  const log = openSync(poolerLog, "w");
  const child = spawn(process.execPath, [programPath(), ...poolerFlags(member)], {
    detached: true, // Ctrl-C stops it through this process, before PostgreSQL.
    stdio: ["ignore", log, log],
  });
  closeSync(log);
  const { promise: ended, resolve } = Promise.withResolvers<string>();
  const killAtExit = (): void => void child.kill("SIGKILL");
  process.once("exit", killAtExit);
  child.once("exit", (code, signal) => {
    process.off("exit", killAtExit);
    resolve(code === null ? `by ${signal}` : `with exit code ${code}`);
  });
  await once(child, "spawn");
  if (child.pid === undefined) {
    throw new Error("a process without an id");
  }
  return new PoolerProcess(child.pid, ended);
}

/** A pooler that an earlier `npm start` has started; it is watched until the signal aborts. */
export function adoptPooler(pid: number, { signal }: { signal: AbortSignal }): Pooler {
  return new PoolerProcess(pid, untilGone(pid, signal));
}

function untilGone(pid: number, signal: AbortSignal): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>();
  // Not a child of this process, so no event reports its end.
  const timer = setInterval(() => {
    if (isAlive(pid)) {
      return;
    }
    clearInterval(timer);
    resolve("in another terminal");
  }, ADOPTED_POLL_MS);
  signal.addEventListener("abort", () => clearInterval(timer), { once: true });
  return promise;
}

class PoolerProcess implements Pooler {
  readonly pid: number;
  readonly ended: Promise<string>;

  constructor(pid: number, ended: Promise<string>) {
    this.pid = pid;
    this.ended = ended;
  }

  async stop(): Promise<void> {
    sendSignal(this.pid, "SIGTERM");
    const tooLong = setTimeout(() => sendSignal(this.pid, "SIGKILL"), STOP_DEADLINE_MS);
    try {
      await this.ended;
    } finally {
      clearTimeout(tooLong);
    }
  }
}

function poolerFlags({ name, replica, places, ports }: Member): string[] {
  const flags = {
    "config-file": places.poolerSettings,
    "pg-host": "127.0.0.1",
    "pg-port": ports.postgres,
    database: "postgres",
    "connpool-admin-user": "postgres",
    "connpool-admin-password-file": places.password,
    "replication-conninfo": formatConnInfo({ passfile: places.passwordFile }),
    "http-port": ports.http,
    "grpc-port": ports.grpc,
    "pg-listen-port": ports.psql,
    "service-id": name,
    "pgctld-addr": controlAddress(places),
    "pooler-dir": places.poolerMemory,
    "topo-implementation": "sqlite",
    "topo-global-server-addresses": places.topology,
    // Roles that changed since are in the topology.
    ...(existsSync(places.poolerMemory)
      ? {}
      : { "initial-pooler-type": replica === undefined ? "primary" : "replica" }),
    lameduck: 0,
  };
  return Object.entries(flags).flatMap(([flag, value]) => [`--${flag}`, String(value)]);
}
