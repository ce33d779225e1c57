import { chmod, mkdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { takeBaseBackup } from "@multipooler/base-backup";
import { connect } from "@multipooler/grpc-services/client";
import type { PoolerClient } from "@multipooler/grpc-services/client";
import { LocalPostgres, openInstallation } from "@multipooler/pgctld";
import { startPooler } from "@multipooler/pooler-process";
import type { PoolerProcess } from "@multipooler/pooler-process";
import { findFreePort } from "@multipooler/test-postgres";
import pg from "pg";
import { DaemonProcess } from "./daemon-process.ts";
import type { DaemonOptions } from "./daemon-process.ts";
import type { KillPlan } from "./kill-plan.ts";

const READY_LIMIT_MS = 60_000;
const SILENT = { info: () => undefined, warn: () => undefined };
const PASSWORD = "not asked for";
/** A standby whose primary was away looks for it again at once. */
const SETTINGS = { fsync: "off", wal_retrieve_retry_interval: "100ms" } as const;

/** Where a node is made. */
export interface NodeOptions {
  readonly name: string;
  /** Of all nodes together. */
  readonly directory: string;
  /** The programs of PostgreSQL. */
  readonly programs: string;
  /** Obeyed by pooler and daemon. */
  readonly plan?: KillPlan | undefined;
}

/** The processes of a node. */
export type NodePart = "pooler" | "PostgreSQL" | "daemon";

/** A pooler that runs, and how it is called. */
interface RunningPooler {
  readonly process: PoolerProcess;
  readonly address: string;
  readonly client: PoolerClient;
}

interface NodeProcesses {
  readonly postgres: LocalPostgres;
  readonly daemonOptions: DaemonOptions;
  readonly daemon: DaemonProcess;
  readonly startPooler: () => PoolerProcess;
  readonly pooler: RunningPooler;
}

/**
 * A PostgreSQL with the shipped daemon that controls it, and the shipped pooler in front of it. Disposing
 * ends all.
 */
export class ClusterNode implements AsyncDisposable {
  readonly name: string;
  readonly port: number;
  readonly #processes: NodeProcesses;
  #daemon: DaemonProcess;
  #pooler: RunningPooler;

  private constructor(name: string, processes: NodeProcesses) {
    this.name = name;
    this.port = processes.daemonOptions.port;
    this.#processes = processes;
    this.#daemon = processes.daemon;
    this.#pooler = processes.pooler;
  }

  /** Starts a primary, or a standby that is a copy of one and follows nobody yet. */
  static async start(options: NodeOptions, primary?: ClusterNode): Promise<ClusterNode> {
    const { name, directory, programs, plan } = options;
    await using parts = new AsyncDisposableStack();
    const port = await findFreePort();
    const stateDir = join(directory, name);
    await mkdir(stateDir);
    await chmod(stateDir, 0o711);
    const dataDir = join(stateDir, "pg_data");
    const postgres = new LocalPostgres({
      installation: await openInstallation(programs),
      dataDir,
      stateDir,
      password: PASSWORD,
      port,
      access: { local: "trust", loopback: "trust" },
      settings: SETTINGS,
      initdbArguments: ["--no-sync"],
      durable: false,
      logger: SILENT,
    });
    parts.defer(async () => void (await postgres.stop({ mode: "immediate" })));
    if (primary === undefined) {
      await postgres.initialize();
      await postgres.start({ role: "primary" });
    } else {
      await copyOf(primary, dataDir);
      await postgres.start({ role: "standby" });
    }
    const node = plan?.options ?? { nodeOptions: [], env: {} };
    const daemonOptions = {
      stateDir,
      programs,
      port,
      settings: SETTINGS,
      password: PASSWORD,
      ...node,
    };
    const daemon = parts.use(await DaemonProcess.start(daemonOptions));
    const flags = {
      "pg-host": "127.0.0.1",
      "pg-port": String(port),
      "service-id": name,
      "pooler-dir": join(directory, `${name}-pooler`),
      "topo-implementation": "sqlite",
      "topo-global-server-addresses": join(directory, "topology.db"),
      "initial-pooler-type": primary === undefined ? "primary" : "replica",
      "pgctld-addr": daemon.address,
    };
    const poolerOf = (): PoolerProcess => startPooler({ flags, ...node });
    const pooler = await running(parts.use(poolerOf()));
    await pooler.process.ready(200, { signal: AbortSignal.timeout(READY_LIMIT_MS) });
    // From here on the node ends them itself: which processes they are changes.
    parts.move();
    return new ClusterNode(name, {
      postgres,
      daemonOptions,
      daemon,
      startPooler: poolerOf,
      pooler,
    });
  }

  /** Of the pooler; another one after each of its starts. */
  get address(): string {
    return this.#pooler.address;
  }

  /** Of the pooler; another one after each of its starts. */
  get client(): PoolerClient {
    return this.#pooler.client;
  }

  /** Ready as `/ready` has it. */
  async ready(): Promise<void> {
    await this.#pooler.process.ready(200, { signal: AbortSignal.timeout(READY_LIMIT_MS) });
  }

  /** Of the main process. */
  async pidOf(part: NodePart): Promise<number> {
    switch (part) {
      case "pooler":
        return this.#pooler.process.pid;
      case "daemon":
        return this.#daemon.pid;
      case "PostgreSQL": {
        const status = await this.#processes.postgres.status();
        if (!("pid" in status)) {
          throw new Error(`the PostgreSQL of ${this.name} does not run`);
        }
        return status.pid;
      }
    }
  }

  /** Starts what was killed, as a supervisor does. */
  async revive(part: NodePart): Promise<void> {
    switch (part) {
      case "pooler":
        await this.#pooler.process.exited;
        this.#pooler.client.close();
        this.#pooler = await running(this.#processes.startPooler());
        break;
      case "daemon":
        await this.#daemon.ended();
        this.#daemon = await DaemonProcess.start(this.#processes.daemonOptions);
        break;
      case "PostgreSQL":
        await this.#processes.postgres.start({ role: "keep" });
        break;
    }
  }

  /** Asks PostgreSQL itself. */
  async sql(statement: string): Promise<readonly Record<string, unknown>[]> {
    const client = new pg.Client({ host: "127.0.0.1", port: this.port, user: "postgres" });
    client.on("error", () => undefined);
    await client.connect();
    try {
      const { rows } = await client.query<Record<string, unknown>>(statement);
      return rows;
    } finally {
      await client.end();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#pooler.client.close();
    await this.#pooler.process.stop();
    await this.#daemon[Symbol.asyncDispose]();
    await this.#processes.postgres.stop({ mode: "immediate" });
  }
}

async function running(process: PoolerProcess): Promise<RunningPooler> {
  const address = await process.grpc();
  return { process, address, client: connect({ address }) };
}

async function copyOf(primary: ClusterNode, dataDir: string): Promise<void> {
  const [row] = await primary.sql("select current_setting('data_directory') as dir");
  const { uid, gid } = await stat(String(row?.["dir"]));
  await takeBaseBackup({
    source: {
      address: { type: "tcp", host: "127.0.0.1", port: primary.port },
      user: "postgres",
      credential: async () => ({ type: "none" }),
    },
    dataDir,
    owner: { uid, gid },
    durable: false,
  });
}
