import { existsSync } from "node:fs";
import { WireClient, query } from "@multipooler/conversations";
import { connect } from "@multipooler/grpc-services/client";
import type { PoolerClient } from "@multipooler/grpc-services/client";
import type { TestPostgres } from "@multipooler/test-postgres";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { flagsFor } from "./flags.ts";
import { ESCAPES, READS, SET_UP, STANDBY_READS } from "./read-only-escapes.ts";
import { ServerPair } from "./server-pair.ts";
import { servingPooler } from "./serving-pooler.ts";

const DEBIAN_15 = "/usr/lib/postgresql/15/bin";
const ANSWER_LIMIT_MS = 20_000;
const USER = { user: "postgres", database: "postgres" };

/** Everything that one of the escapes would change, on either server. */
const STATE_SQL = `select
  (select string_agg(entry, ',') from ledger) as entries,
  (select string_agg(relname || relfilenode, ',' order by oid) from pg_class
    where oid >= 16384 and relkind in ('r', 'v', 'm', 'S')) as relations,
  (select string_agg(attname, ',' order by attnum) from pg_attribute
    where attrelid = 'ledger'::regclass and attnum > 0) as columns,
  (select is_called::text || last_value from numbers) as sequence,
  (select count(*) from pg_roles) as roles,
  (select string_agg(oid::text, ',' order by oid) from pg_largeobject_metadata) as objects,
  (select md5(string_agg(data, '' order by loid, pageno)) from pg_largeobject) as contents,
  (select string_agg(slot_name, ',') from pg_replication_slots) as slots,
  (select count(*) from pg_replication_origin) as origins,
  (select count(*) from pg_prepared_xacts) as prepared,
  pg_is_in_recovery() as recovery,
  case when pg_is_in_recovery() then pg_is_wal_replay_paused() end as paused,
  case when not pg_is_in_recovery() then pg_walfile_name(pg_current_wal_lsn()) end as segment,
  pg_conf_load_time()::text as loaded,
  md5(pg_read_file('postgresql.auto.conf')) as settings,
  (select stats_reset::text from pg_stat_bgwriter) as statistics,
  (pg_stat_file('escape-marker', true)).size as marker`;

/** One client of the pooler. */
interface Client extends AsyncDisposable {
  /** The answer to a text, or to messages where the transport has these; tells errors by their code. */
  ask(message: string | Buffer): Promise<string>;
}

async function wireClient(port: number): Promise<Client> {
  const client = await WireClient.connect(port, USER);
  const answer = async (): Promise<string> =>
    (await client.transcript.login(AbortSignal.timeout(ANSWER_LIMIT_MS))).join("\n");
  await answer();
  return {
    ask: async (message) => {
      await client.send([typeof message === "string" ? query(message) : message]);
      return await answer();
    },
    [Symbol.asyncDispose]: () => client[Symbol.asyncDispose](),
  };
}

async function callingClient(client: PoolerClient): Promise<Client> {
  return {
    ask: async (message) => {
      if (typeof message !== "string") {
        return "";
      }
      try {
        await Array.fromAsync(client.streamExecute({ query: message }));
        return "";
      } catch (error) {
        return String(error);
      }
    },
    [Symbol.asyncDispose]: async () => undefined,
  };
}

describe.each([
  ["17", undefined],
  ["15", DEBIAN_15],
])("PostgreSQL %s", (version, programs) => {
  const isMissing = programs !== undefined && !existsSync(programs);
  let servers: ServerPair;
  let watchers: Readonly<Record<"primary" | "standby", pg.Client>>;
  let parts: AsyncDisposableStack;

  beforeAll(async () => {
    if (isMissing) {
      console.log(`PostgreSQL ${version} is not in ${programs}: its tests are skipped`);
      return;
    }
    await using starting = new AsyncDisposableStack();
    servers = starting.use(
      await ServerPair.start({
        programs,
        setUp: SET_UP,
        settings: { wal_level: "logical", max_prepared_transactions: "5" },
      }),
    );
    const watch = async ({ host, port, user }: TestPostgres): Promise<pg.Client> => {
      const client = new pg.Client({ host, port, user, database: "postgres" });
      await client.connect();
      starting.defer(async () => await client.end());
      return client;
    };
    watchers = { primary: await watch(servers.primary), standby: await watch(servers.standby) };
    parts = starting.move();
  }, 60_000);

  afterAll(async () => {
    await parts?.disposeAsync();
  });

  async function state(): Promise<unknown> {
    const [primary, standby] = await Promise.all([
      watchers.primary.query(STATE_SQL),
      watchers.standby.query(STATE_SQL),
    ]);
    return { primary: primary.rows, standby: standby.rows };
  }

  function inPlace(step: string | Buffer, { dataDir }: TestPostgres): string | Buffer {
    const { host, port, user } = servers.primary;
    return typeof step === "string"
      ? step
          .replaceAll("$DATA", dataDir)
          .replaceAll("$PRIMARY", `host=${host} port=${port} user=${user} dbname=postgres`)
      : step;
  }

  describe.skipIf(isMissing).each(["primary", "standby"] as const)("%s", (role) => {
    let ways: Readonly<Record<"port" | "calls", () => Promise<Client>>>;
    let poolers: AsyncDisposableStack;

    beforeAll(async () => {
      await using starting = new AsyncDisposableStack();
      const postgres = servers[role];
      const pooler = starting.use(
        await servingPooler(postgres, {
          ...flagsFor(postgres),
          "initial-pooler-type": "replica",
          "pg-listen-port": "0",
          "pg-trust-loopback": "on",
        }),
      );
      const client = starting.use(connect({ address: await pooler.grpc() }));
      const port = Number((await pooler.pgwire()).split(":").at(-1));
      ways = { port: () => wireClient(port), calls: () => callingClient(client) };
      poolers = starting.move();
    }, 60_000);

    afterAll(async () => {
      await poolers?.disposeAsync();
    });

    test.each(["port", "calls"] as const)(
      "none of the escapes writes or promotes over %s",
      async (way) => {
        let before = await state();
        for (const escape of ESCAPES) {
          await using client = await ways[way]();
          const answers: string[] = [];
          for (const step of escape) {
            answers.push(await client.ask(inPlace(step, servers[role])));
          }
          const after = await state();
          expect.soft(after, [...escape, ...answers].join("\n")).toEqual(before);
          before = after;
        }
      },
      60_000,
    );

    test("reads are served", async () => {
      for (const sql of [...READS, ...(role === "standby" ? STANDBY_READS : [])]) {
        await using client = await ways.port();
        expect(await client.ask(sql), sql).not.toMatch(/^E/m);
      }
    });
  });
});
