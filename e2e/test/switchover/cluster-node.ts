import { chmod, mkdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { takeBaseBackup } from "@multipooler/base-backup";
import { findFreePort } from "@multipooler/embedded-postgres";
import { connect } from "@multipooler/grpc-services/client";
import type { PoolerClient } from "@multipooler/grpc-services/client";
import { LocalPostgres, PgctldServer, openInstallation } from "@multipooler/pgctld";
import { startPooler } from "@multipooler/pooler-process";
import type { PoolerProcess } from "@multipooler/pooler-process";
import pg from "pg";

const READY_LIMIT_MS = 60_000;
const SILENT = { info: () => undefined, warn: () => undefined };

/** Where a node is made. */
export interface NodeOptions {
  readonly name: string;
  /** Of all nodes together. */
  readonly directory: string;
  /** The programs of PostgreSQL. */
  readonly programs: string;
}

/** A PostgreSQL with its process control, and the shipped pooler in front of it. Disposing ends all. */
export class ClusterNode implements AsyncDisposable {
  readonly name: string;
  readonly port: number;
  readonly address: string;
  readonly client: PoolerClient;
  readonly #pooler: PoolerProcess;
  readonly #parts: AsyncDisposableStack;

  private constructor(
    { name, port }: { readonly name: string; readonly port: number },
    { pooler, address }: { readonly pooler: PoolerProcess; readonly address: string },
    parts: AsyncDisposableStack,
  ) {
    this.name = name;
    this.port = port;
    this.address = address;
    this.#pooler = pooler;
    this.client = connect({ address });
    this.#parts = parts;
  }

  /** Starts a primary, or a standby that is a copy of one and follows nobody yet. */
  static async start(options: NodeOptions, primary?: ClusterNode): Promise<ClusterNode> {
    const { name, directory, programs } = options;
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
      password: "not asked for",
      port,
      access: { local: "trust", loopback: "trust" },
      settings: { fsync: "off" },
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
    const daemon = new PgctldServer({ control: postgres, address: "127.0.0.1:0", logger: SILENT });
    await daemon.listen();
    parts.defer(() => daemon.close({ signal: AbortSignal.timeout(5_000) }));
    const pooler = parts.use(
      startPooler({
        flags: {
          "pg-host": "127.0.0.1",
          "pg-port": String(port),
          "service-id": name,
          "pooler-dir": join(directory, `${name}-pooler`),
          "topo-implementation": "sqlite",
          "topo-global-server-addresses": join(directory, "topology.db"),
          "initial-pooler-type": primary === undefined ? "primary" : "replica",
          "pgctld-addr": `127.0.0.1:${daemon.port}`,
        },
      }),
    );
    const address = await pooler.grpc();
    await pooler.ready(200, { signal: AbortSignal.timeout(READY_LIMIT_MS) });
    return new ClusterNode({ name, port }, { pooler, address }, parts.move());
  }

  /** Ready as `/ready` has it. */
  async ready(): Promise<void> {
    await this.#pooler.ready(200, { signal: AbortSignal.timeout(READY_LIMIT_MS) });
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
    this.client.close();
    await this.#parts.disposeAsync();
  }
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
