import type { ConnectionShare, DatabaseHandle } from "@multipooler/controller-api";
import { MultiPooler } from "@multipooler/poolerserver";
import type { Logger } from "@multipooler/poolerserver";
import type { PostgresPlace } from "./subject.ts";

const ignore = (): void => undefined;
export const BENCH_LOGGER: Logger = {
  debug: ignore,
  info: ignore,
  warn: console.warn,
  error: console.error,
};

export const BENCH_SHARD = { tableGroup: "default", shard: "0-inf" };

/** A controller on the bench's PostgreSQL, serving, without a manager around it. */
export async function openPooler(place: PostgresPlace, callers: number): Promise<MultiPooler> {
  const pooler = new MultiPooler({
    shard: BENCH_SHARD,
    capacity: callers,
    logger: BENCH_LOGGER,
  });
  pooler.initDBConfig(handleOf(place, callers));
  await pooler.open();
  await pooler.setServingType({ status: "SERVING", role: "PRIMARY", reason: "the bench runs" });
  return pooler;
}

function handleOf({ host, port, user }: PostgresPlace, callers: number): DatabaseHandle {
  return {
    address: { type: "tcp", host, port },
    database: "postgres",
    user,
    tls: { mode: "disable" },
    dialTimeoutMs: 5000,
    applicationName: "multipooler-bench",
    share: new CountingShare(callers + 1),
    credential: () => Promise.resolve({ type: "none" }),
    admin: () => Promise.reject(new Error("the bench has no connection for administration")),
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
