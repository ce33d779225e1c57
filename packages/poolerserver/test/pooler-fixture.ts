import { PoolerRole, QueryMode, ServingStatus } from "@multipooler/controller-api";
import type { DatabaseHandle, ServingTarget } from "@multipooler/controller-api";
import type { EmbeddedPostgres } from "@multipooler/embedded-postgres";
import { MultiPooler } from "../src/multi-pooler.ts";
import type { MultiPoolerOptions } from "../src/multi-pooler-options.ts";
import { CountingBudget } from "./counting-budget.ts";
import { RecordingSink } from "./recording-sink.ts";
import { silentLogger } from "./silent-logger.ts";

export const PRIMARY: ServingTarget = {
  status: ServingStatus.Serving,
  role: PoolerRole.Primary,
  reason: "the test wants it",
};
export const REPLICA: ServingTarget = {
  status: ServingStatus.ServingReadOnly,
  role: PoolerRole.Replica,
  reason: "the test wants it",
};
export const STOPPED: ServingTarget = {
  status: ServingStatus.NotServing,
  role: PoolerRole.Replica,
  reason: "the test wants it",
};

/** The database of a test server as the manager would hand it over. */
export function databaseOf(
  postgres: EmbeddedPostgres,
  options: { database?: string; user?: string; password?: string; budget?: CountingBudget } = {},
): DatabaseHandle & { readonly budget: CountingBudget } {
  return {
    address: { type: "tcp", host: postgres.host, port: postgres.port },
    database: options.database ?? "postgres",
    user: options.user ?? postgres.user,
    password: () => options.password ?? postgres.password,
    dialTimeoutMs: 5000,
    budget: options.budget ?? new CountingBudget(50),
  };
}

/** A controller that is not open yet. */
export function newPooler(options: Partial<MultiPoolerOptions> = {}): MultiPooler {
  return new MultiPooler({
    shard: { tableGroup: "default", shard: "0-inf" },
    capacity: 10,
    logger: silentLogger,
    ...options,
  });
}

/** A controller that serves. */
export async function servingPooler(
  database: DatabaseHandle,
  options: Partial<MultiPoolerOptions> & { target?: ServingTarget } = {},
): Promise<MultiPooler> {
  const { target = PRIMARY, ...rest } = options;
  const pooler = newPooler(rest);
  pooler.initDBConfig(database);
  await pooler.open();
  await pooler.setServingType(target);
  return pooler;
}

/** Runs one query string as a transport would. */
export async function query(
  pooler: MultiPooler,
  sql: string,
  options: { sink?: RecordingSink; signal?: AbortSignal } = {},
): Promise<RecordingSink> {
  const { sink = new RecordingSink(), signal } = options;
  await pooler.getExecutor().streamExecute(request(sql), sink, { signal });
  return sink;
}

/** A request that any status and role may admit. */
export function request(sql: string): {
  sql: string;
  target: { database: string; tableGroup: string; shard: string; mode: QueryMode };
  user: string;
  reservedConnectionId: bigint;
} {
  return {
    sql,
    target: {
      database: "",
      tableGroup: "default",
      shard: "0-inf",
      mode: QueryMode.Unspecified,
    },
    user: "",
    reservedConnectionId: 0n,
  };
}

/** The sessions that the server has for `user`, other than the one that asks. */
export async function sessionCount(postgres: EmbeddedPostgres, database: string): Promise<number> {
  const [row] = await postgres.sql(
    "select count(*)::int as n from pg_stat_activity where datname = $1 and pid <> pg_backend_pid()",
    { values: [database] },
  );
  return Number(row?.["n"]);
}
