import { COLLECTING, startPooler } from "@multipooler/pooler-process";
import type { PoolerProcess } from "@multipooler/pooler-process";
import { startPostgres } from "@multipooler/test-postgres";
import type { TestPostgres } from "@multipooler/test-postgres";
import type { ClientAddress } from "./connection.ts";
import { LEDGER_SQL } from "./ledger.ts";

/** The part of the maximum that the clients need, so that some wait. */
const CAPACITY = 20;
const MAX_CLIENTS = 500;
const READY_LIMIT_MS = 60_000;

const SETUP_SQL = `
  ${LEDGER_SQL};
  create table account (id int primary key, balance int not null);
  insert into account select id, 0 from generate_series(1, 20) as id;
`;

/** What is soaked: the program in front of a PostgreSQL that asks for passwords. */
export interface Stand {
  readonly postgres: TestPostgres;
  readonly pooler: PoolerProcess;
  /** Of the pooler's port for PostgreSQL's protocol. */
  readonly address: ClientAddress;
  readonly grpcAddress: string;
}

/** Starts both; `stack` ends them. */
export async function startStand(stack: AsyncDisposableStack): Promise<Stand> {
  const postgres = stack.use(
    await startPostgres({ auth: "scram-sha-256", settings: { max_connections: "60" } }),
  );
  await postgres.sql(SETUP_SQL);
  const { host, user, password } = postgres;
  const pooler = stack.use(
    startPooler({
      flags: {
        "pg-host": host,
        "pg-port": String(postgres.port),
        "connpool-admin-user": user,
        "connpool-admin-password": password,
        "initial-pooler-type": "primary",
        "connpool-global-capacity": String(CAPACITY),
        "connpool-user-reserved-inactivity-timeout": "3s",
        "pg-listen-port": "0",
        "pg-max-clients": String(MAX_CLIENTS),
      },
      nodeOptions: COLLECTING,
    }),
  );
  const pgwire = await pooler.pgwire();
  const grpcAddress = await pooler.grpc();
  const stand: Stand = {
    postgres,
    pooler,
    address: {
      host: "127.0.0.1",
      port: Number(pgwire.split(":").at(-1)),
      user,
      password,
      database: "postgres",
    },
    grpcAddress,
  };
  await untilReady(stand);
  return stand;
}

/** Resolves when the pooler serves. */
export async function untilReady({ pooler }: Stand): Promise<void> {
  await pooler.ready(200, { signal: AbortSignal.timeout(READY_LIMIT_MS) });
}
