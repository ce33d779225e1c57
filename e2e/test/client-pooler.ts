import { startPooler } from "@multipooler/pooler-process";
import type { PoolerProcess } from "@multipooler/pooler-process";
import { startPostgres } from "@multipooler/test-postgres";
import type { TestPostgres, StartPostgresOptions } from "@multipooler/test-postgres";
import pg from "pg";
import { flagsFor } from "./flags.ts";

const READY_LIMIT_MS = 20_000;

/** Where a client connects, and as whom. */
export interface ClientAddress {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly database: string;
}

/** What stands behind the pooler. */
export interface ClientPoolerOptions {
  readonly server?: StartPostgresOptions;
  /** May put something between the pooler and PostgreSQL, and tells its port. */
  readonly portOf?: (postgres: TestPostgres) => Promise<number>;
}

/** A pooler in front of a PostgreSQL that asks for passwords, for psql and drivers. */
export class ClientPooler implements AsyncDisposable {
  readonly postgres: TestPostgres;
  readonly pooler: PoolerProcess;
  readonly address: ClientAddress;

  private constructor(postgres: TestPostgres, pooler: PoolerProcess, port: number) {
    this.postgres = postgres;
    this.pooler = pooler;
    const { user, password } = postgres;
    this.address = { host: "127.0.0.1", port, user, password, database: "postgres" };
  }

  static async start(
    flags: Readonly<Record<string, string>> = {},
    { server, portOf = async ({ port }) => port }: ClientPoolerOptions = {},
  ): Promise<ClientPooler> {
    const login = { auth: "scram-sha-256", password: "it's a secret" } as const;
    const postgres = await startPostgres({ ...login, ...server });
    const port = await portOf(postgres);
    const pooler = startPooler({
      flags: {
        ...flagsFor(postgres),
        "pg-port": String(port),
        "connpool-admin-password": postgres.password,
        "pg-listen-port": "0",
        ...flags,
      },
    });
    const address = await pooler.pgwire();
    await pooler.ready(200, { signal: AbortSignal.timeout(READY_LIMIT_MS) });
    return new ClientPooler(postgres, pooler, Number(address.split(":").at(-1)));
  }

  /** A client of node-postgres that is logged in. Errors of a connection that is idle are dropped. */
  async connect(options: pg.ClientConfig = {}): Promise<pg.Client> {
    const client = new pg.Client({ ...this.address, ...options });
    client.on("error", () => undefined);
    await client.connect();
    return client;
  }

  /** Where a client finds the PostgreSQL itself. */
  get direct(): ClientAddress {
    const { host, port } = this.postgres;
    return { ...this.address, host, port };
  }

  /** How many clients the pooler counts. */
  async clients(): Promise<unknown> {
    const answer = await fetch(`${await this.pooler.http()}/ready`);
    const body: unknown = await answer.json();
    return typeof body === "object" && body !== null && "clients" in body
      ? body.clients
      : undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.pooler[Symbol.asyncDispose]();
    await this.postgres[Symbol.asyncDispose]();
  }
}
