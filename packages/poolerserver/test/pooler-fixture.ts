import { PoolerRole, ServingStatus } from "@multipooler/controller-api";
import type { DatabaseHandle, ServingTarget } from "@multipooler/controller-api";
import { QueryMode } from "@multipooler/query-service";
import type { ExecuteRequest, PoolerError } from "@multipooler/query-service";
import type { TestPostgres } from "@multipooler/test-postgres";
import { MultiPooler } from "../src/multi-pooler.ts";
import type { MultiPoolerOptions } from "../src/multi-pooler-options.ts";
import { CountingShare } from "./counting-share.ts";
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

/** The `application_name` of the pooler's sessions. */
export const APPLICATION_NAME = "multipooler/test regular";

/** What a test changes of the database that it hands over. */
export interface DatabaseOptions {
  readonly database?: string;
  readonly user?: string;
  readonly password?: string;
  readonly share?: CountingShare;
  /** A port in front of the server. */
  readonly port?: number;
}

/** The database of a test server as the manager would hand it over. */
export function databaseOf(
  postgres: TestPostgres,
  options: DatabaseOptions = {},
): DatabaseHandle & { readonly suspicions: PoolerError[] } {
  const database = options.database ?? "postgres";
  const suspicions: PoolerError[] = [];
  return {
    address: { type: "tcp", host: postgres.host, port: options.port ?? postgres.port },
    database,
    user: options.user ?? postgres.user,
    tls: { mode: "disable" },
    credential: () =>
      Promise.resolve({ type: "password", password: options.password ?? postgres.password }),
    applicationName: "multipooler/test",
    dialTimeoutMs: 5000,
    share: options.share ?? new CountingShare(50),
    admin: (sql, values) => postgres.sql(sql, { values: [...values], database }),
    suspect: (cause) => suspicions.push(cause),
    suspicions,
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
export function request(sql: string, change: Partial<ExecuteRequest> = {}): ExecuteRequest {
  return {
    target: {
      database: "",
      tableGroup: "default",
      shard: "0-inf",
      mode: QueryMode.Unspecified,
    },
    caller: { user: "", settings: new Map(), origin: "" },
    place: { type: "any" },
    statement: { type: "simple", sql },
    ...change,
  };
}

/** The sessions that the pooler has on a database. */
export async function sessionCount(postgres: TestPostgres, database: string): Promise<number> {
  const [row] = await postgres.sql(
    "select count(*)::int as n from pg_stat_activity where datname = $1 and application_name = $2",
    { values: [database, APPLICATION_NAME] },
  );
  return Number(row?.["n"]);
}
