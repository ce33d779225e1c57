import type { AdminRow, ConnectionShare, DatabaseHandle } from "@multipooler/controller-api";
import { MultiPooler } from "@multipooler/poolerserver";
import type { Logger } from "@multipooler/poolerserver";
import pg from "pg";
import type { QueryService } from "@multipooler/query-service";
import type { PostgresPlace } from "./subject.ts";

const ignore = (): void => undefined;
export const BENCH_LOGGER: Logger = {
  debug: ignore,
  info: ignore,
  warn: console.warn,
  error: console.error,
};

export const BENCH_SHARD = { tableGroup: "default", shard: "0-inf" };

/** A serving controller, without a manager around it. */
export interface BenchPooler {
  readonly service: QueryService;
  close(): Promise<void>;
}

/** A controller on the bench's PostgreSQL. */
export async function openPooler(place: PostgresPlace, callers: number): Promise<BenchPooler> {
  const { host, port, user } = place;
  const admin = new pg.Client({ host, port, user, database: "postgres" });
  // A server that ends before its clients fails their next query.
  admin.on("error", ignore);
  await admin.connect();
  const pooler = new MultiPooler({
    shard: BENCH_SHARD,
    capacity: callers,
    logger: BENCH_LOGGER,
  });
  pooler.initDBConfig(handleOf(place, callers, admin));
  await pooler.open();
  await pooler.setServingType({ status: "SERVING", role: "PRIMARY", reason: "the bench runs" });
  return {
    service: pooler.getExecutor(),
    close: async () => {
      await pooler.close();
      await admin.end();
    },
  };
}

function handleOf(
  { host, port, user }: PostgresPlace,
  callers: number,
  admin: pg.Client,
): DatabaseHandle {
  return {
    address: { type: "tcp", host, port },
    database: "postgres",
    user,
    tls: { mode: "disable" },
    dialTimeoutMs: 5000,
    applicationName: "multipooler-bench",
    share: new CountingShare(callers),
    credential: () => Promise.resolve({ type: "none" }),
    admin: async (sql, values) => (await admin.query<AdminRow>(sql, [...values])).rows,
    suspect: (cause) => console.warn(cause.message),
  };
}

class CountingShare implements ConnectionShare {
  readonly limit: number;
  used = 0;

  constructor(limit: number) {
    this.limit = limit;
  }

  tryTake(): { release(): void } | undefined {
    if (this.used === this.limit) {
      return undefined;
    }
    this.used += 1;
    return { release: () => void (this.used -= 1) };
  }

  onChange(): () => void {
    return () => undefined;
  }

  serverIsFull(): void {
    throw new Error("the bench's PostgreSQL is full");
  }
}
