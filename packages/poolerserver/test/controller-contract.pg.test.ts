import { describeControllerContract } from "@multipooler/controller-testkit";
import type { ControllerFactory, ControllerSubject } from "@multipooler/controller-testkit";
import { ReservationReason } from "@multipooler/query-service";
import { TcpProxy } from "@multipooler/tcp-proxy";
import type { TestPostgres } from "@multipooler/test-postgres";
import { describe, test } from "vitest";
import { databaseOf, newPooler, servingPooler } from "./pooler-fixture.ts";
import { ReservingClient } from "./reserving-client.ts";
import { useServer } from "./test-server.ts";

const BLOCKED = "select count(*) from held";

let postgres: TestPostgres;

useServer(async (started) => {
  postgres = started;
  await postgres.sql("create table written (n int)");
  await postgres.sql("create table copied (n int)");
  await postgres.sql("insert into copied values (1)");
});

const factory: ControllerFactory = {
  name: "MultiPooler on PostgreSQL",
  offers: {
    reservations: true,
    sessions: true,
    describe: true,
    credentials: true,
    copy: true,
    notifications: true,
  },
  statements: {
    read: "select 1",
    write: "insert into written values (1)",
    failing: "select 1 / 0",
    blocked: BLOCKED,
    copy: { in: "copy copied from stdin", out: "copy copied to stdout" },
    notify: { channel: "told", sql: "notify told" },
  },
  hasOutages: true,
  served: { tableGroup: "default", shard: "0-inf" },
  create,
};

describeControllerContract(factory, { describe, test });

/** A pooler whose way to the server can break, and a transaction that others wait for. */
async function create({
  drainGraceMs,
}: {
  readonly drainGraceMs: number;
}): Promise<ControllerSubject> {
  await using stack = new AsyncDisposableStack();
  const proxy = stack.use(await TcpProxy.before(postgres.port));
  await postgres.sql("create table held ()");
  stack.defer(() => postgres.sql("drop table held").then(() => undefined));
  const locker = stack.use(await servingPooler(databaseOf(postgres), { inactivityTimeoutMs: 0 }));
  const lock = new ReservingClient(locker);
  await lock.reserve("lock table held in access exclusive mode", ReservationReason.Transaction);
  const owned = stack.move();
  return {
    controller: newPooler({ drainGraceMs }),
    database: databaseOf(postgres, { port: proxy.port }),
    untilBlocked,
    unblock: async () => void (await lock.release()),
    outage: { begin: async () => proxy.shut(), end: async () => proxy.mend() },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** Waits until so many statements wait for the lock. */
async function untilBlocked(count: number): Promise<void> {
  const waiting = `select count(*)::int as n from pg_stat_activity
    where query = $1 and wait_event_type = 'Lock'`;
  for (;;) {
    const [row] = await postgres.sql(waiting, { values: [BLOCKED] });
    if (Number(row?.["n"]) >= count) {
      return;
    }
  }
}
