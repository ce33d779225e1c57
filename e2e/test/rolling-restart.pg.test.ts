import { connect } from "@multipooler/grpc-services/client";
import { startPooler } from "@multipooler/pooler-process";
import type { PoolerProcess } from "@multipooler/pooler-process";
import { startPostgres } from "@multipooler/test-postgres";
import type { TestPostgres } from "@multipooler/test-postgres";
import pg from "pg";
import { expect, test } from "vitest";
import { flagsFor } from "./flags.ts";
import { LoadBalancer } from "./load-balancer.ts";
import { READY_LIMIT_MS, valueOf } from "./serving-pooler.ts";

/** Four starts of a pooler and two stops that wait. */
const TEST_LIMIT_MS = 120_000;
const CALLERS = 6;
const CLIENTS = 6;

/** Work that is repeated until it is stopped; what fails is kept. */
class Load {
  readonly failures: unknown[] = [];
  done = 0;
  #isStopped = false;
  readonly #workers: Promise<void>[] = [];

  start(work: (round: number) => Promise<void>): void {
    this.#workers.push(this.#repeat(work));
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await Promise.all(this.#workers);
  }

  async #repeat(work: (round: number) => Promise<void>): Promise<void> {
    for (let round = 0; !this.#isStopped; round += 1) {
      try {
        await work(round);
        this.done += 1;
      } catch (error) {
        this.failures.push(error);
      }
    }
  }
}

/** A client of a connection of its own for each transaction, as behind `pgbench -C`. */
async function transaction(postgres: TestPostgres, port: number): Promise<void> {
  const { user, password } = postgres;
  const client = new pg.Client({ host: "127.0.0.1", port, user, password, database: "postgres" });
  // The last word of a pooler that stops comes behind the answer to COMMIT.
  client.on("error", () => undefined);
  await client.connect();
  try {
    await client.query("begin");
    await client.query("insert into done default values");
    await client.query("select pg_sleep(0.01)");
    await client.query("commit");
  } finally {
    await client.end();
  }
}

function newPooler(postgres: TestPostgres): PoolerProcess {
  const flags = {
    ...flagsFor(postgres),
    "pg-listen-port": "0",
    "pg-trust-loopback": "on",
    "connpool-global-capacity": "15",
    lameduck: "3s",
  };
  return startPooler({ flags });
}

test(
  "a rolling restart behind a balancer that polls /ready fails no statement",
  async () => {
    await using postgres = await startPostgres();
    await postgres.sql("create table done (id int generated always as identity)");
    await using balancer = await LoadBalancer.start();
    await using parts = new AsyncDisposableStack();
    const poolers = new Map<string, PoolerProcess>();
    const begin = async (name: string): Promise<void> => {
      const pooler = parts.use(newPooler(postgres));
      await pooler.ready(200, { signal: AbortSignal.timeout(READY_LIMIT_MS) });
      poolers.set(name, pooler);
      await balancer.add(name, pooler);
      await balancer.sees(name);
    };
    await begin("a");
    await begin("b");

    const calls = new Load();
    const transactions = new Load();
    for (let caller = 0; caller < CALLERS; caller += 1) {
      const client = parts.use(connect({ address: `127.0.0.1:${balancer.port("grpc")}` }));
      calls.start(async (round) => {
        expect(await valueOf(client, `select ${round} from pg_sleep(0.005)`)).toBe(String(round));
      });
    }
    for (let client = 0; client < CLIENTS; client += 1) {
      transactions.start(() => transaction(postgres, balancer.port("pgwire")));
    }
    for (const name of ["a", "b"]) {
      const pooler = poolers.get(name);
      expect(await pooler?.stop()).toEqual({ code: 0, signal: null });
      expect(pooler?.complaints()).toBe("");
      await begin(name);
      await balancer.uses(name);
    }
    await Promise.all([calls.stop(), transactions.stop()]);

    expect(calls.failures).toEqual([]);
    expect(transactions.failures).toEqual([]);
    expect(calls.done).toBeGreaterThan(CALLERS);
    expect(await postgres.sql("select count(*)::int as n from done")).toEqual([
      { n: transactions.done },
    ]);
  },
  TEST_LIMIT_MS,
);
