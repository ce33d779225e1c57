import { once } from "node:events";
import { Readable, Writable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type pg from "pg";
import { from as copyFrom, to as copyTo } from "pg-copy-streams";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ClientPooler } from "./client-pooler.ts";

const CAPACITY = 4;
/** How long something may take to show. */
const PATIENCE = { timeout: 10_000 } as const;

let pooler: ClientPooler;

beforeAll(async () => {
  pooler = await ClientPooler.start({ "connpool-global-capacity": String(CAPACITY) });
});

afterAll(async () => {
  await pooler?.[Symbol.asyncDispose]();
});

async function withClient<T>(use: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = await pooler.connect();
  try {
    return await use(client);
  } finally {
    await client.end();
  }
}

test("values of many types come back as they went", async () => {
  await withClient(async (client) => {
    const values = [42, "ü'\"\\", true, null, new Date(0), { a: [1] }, Buffer.from([0, 255])];
    const { rows } = await client.query<unknown[]>({
      text: "select $1::int, $2::text, $3::bool, $4::int, $5::timestamptz, $6::jsonb, $7::bytea",
      values,
      rowMode: "array",
    });
    expect(rows).toEqual([values]);
    const results: unknown = await client.query("select 1 as a; select 2 as a where false");
    expect(results).toMatchObject([{ rows: [{ a: 1 }] }, { rows: [] }]);
  });
});

test("an error keeps PostgreSQL's fields, and the connection goes on", async () => {
  await withClient(async (client) => {
    await expect(client.query("select nothing from nowhere")).rejects.toMatchObject({
      code: "42P01",
      position: "21",
      severity: "ERROR",
    });
    await expect(client.query("select 1/$1::int", [0])).rejects.toMatchObject({ code: "22012" });
    expect((await client.query("select 1 as a")).rows).toEqual([{ a: 1 }]);
  });
});

test("transactions are committed, rolled back, and given up with their client", async () => {
  await withClient(async (client) => {
    await client.query("create table account (id int primary key, balance int)");
    await client.query("begin");
    await client.query("insert into account values (1, 100)");
    await client.query("commit");
    await client.query("begin");
    await client.query("update account set balance = 0");
    await client.query("rollback");
    await client.query("begin");
    await expect(client.query("bogus")).rejects.toMatchObject({ code: "42601" });
    await expect(client.query("select 1")).rejects.toMatchObject({ code: "25P02" });
    await client.query("commit");
    const leaving = await pooler.connect();
    await leaving.query("begin");
    await leaving.query("update account set balance = 1");
    await leaving.end();
    expect((await client.query("select balance from account")).rows).toEqual([{ balance: 100 }]);
  });
});

test("a prepared name is each client's own", async () => {
  const clients = await Promise.all(Array.from({ length: 3 }, () => pooler.connect()));
  await Promise.all(
    clients.map(async (client, index) => {
      for (let round = 0; round < 20; round += 1) {
        const text = `select ${index}::int as mine, $1::int as round`;
        const { rows } = await client.query({ name: "s0", text, values: [round] });
        expect(rows).toEqual([{ mine: index, round }]);
      }
    }),
  );
  await Promise.all(clients.map((client) => client.end()));
});

test("200 clients share 4 connections, and each gets its own answers", async () => {
  const clients = await Promise.all(Array.from({ length: 200 }, () => pooler.connect()));
  expect(await pooler.clients()).toMatchObject({ clients: 200, connections: 200 });
  await Promise.all(
    clients.map(async (client, index) => {
      for (let round = 0; round < 10; round += 1) {
        const { rows } = await client.query("select $1::int as mine, pg_sleep(0.001)", [index]);
        expect(rows[0]).toMatchObject({ mine: index });
      }
    }),
  );
  const [row] = await pooler.postgres.sql(
    "select count(*)::int as n from pg_stat_activity where application_name like '%regular%'",
  );
  expect(Number(row?.["n"])).toBeLessThanOrEqual(CAPACITY);
  await Promise.all(clients.map((client) => client.end()));
  await expect.poll(() => pooler.clients(), PATIENCE).toMatchObject({ clients: 0, connections: 0 });
}, 60_000);

test("COPY goes in and out", async () => {
  await withClient(async (client) => {
    await client.query("create table copied (a int, b text)");
    const lines = Array.from({ length: 100_000 }, (_, index) => `${index}\tline ${index}\n`);
    await pipeline(Readable.from(lines), client.query(copyFrom("copy copied from stdin")));
    const count = await client.query("select count(*)::int as n, sum(a)::text as sum from copied");
    expect(count.rows).toEqual([{ n: 100_000, sum: "4999950000" }]);
    const chunks: Buffer[] = [];
    await pipeline(
      client.query(copyTo("copy (select a, b from copied order by a) to stdout")),
      new Writable({
        write(chunk: Buffer, _encoding, done) {
          chunks.push(chunk);
          done();
        },
      }),
    );
    expect(Buffer.concat(chunks).toString()).toBe(lines.join(""));
  });
});

test("a COPY that its client leaves in the middle leaves nothing", async () => {
  await withClient(async (client) => {
    await client.query("create table left_alone (a int)");
    const leaving = await pooler.connect();
    const stream = leaving.query(copyFrom("copy left_alone from stdin"));
    stream.on("error", () => undefined);
    stream.write("1\n");
    const running =
      "select 1 from pg_stat_activity where query like 'copy left_alone%' and state = 'active'";
    await expect.poll(() => pooler.postgres.sql(running), PATIENCE).toHaveLength(1);
    leaving.connection.stream.destroy();
    await expect.poll(() => pooler.postgres.sql(running), PATIENCE).toHaveLength(0);
    expect((await client.query("select * from left_alone")).rows).toEqual([]);
  });
});

test("a client that does not read keeps nobody else from being served", async () => {
  const slow = await pooler.connect();
  const answer = slow.query("select repeat('x', 1000) from generate_series(1, 100000)");
  slow.connection.stream.pause();
  await withClient(async (client) => {
    for (let round = 0; round < 50; round += 1) {
      expect((await client.query("select $1::int as a", [round])).rows).toEqual([{ a: round }]);
    }
  });
  slow.connection.stream.resume();
  expect((await answer).rowCount).toBe(100_000);
  await slow.end();
});

test("settings at the login hold for their client alone", async () => {
  const strict = await pooler.connect({
    statement_timeout: 50,
    options: "-c search_path=elsewhere",
    application_name: "strict",
  });
  expect((await strict.query("show search_path")).rows).toEqual([{ search_path: "elsewhere" }]);
  await expect(strict.query("select pg_sleep(5)")).rejects.toMatchObject({ code: "57014" });
  await withClient(async (client) => {
    const { rows } = await client.query(
      "select current_setting('search_path') as p, current_setting('statement_timeout') as t",
    );
    expect(rows).toEqual([{ p: '"$user", public', t: "0" }]);
  });
  await strict.end();
  await expect(pooler.connect({ options: "-c nonsense=1" })).rejects.toMatchObject({
    code: "42704",
  });
});

test("what one client leaves in its session does not reach the next", async () => {
  await withClient(async (client) => {
    await client.query("create view leaky as select set_config('search_path', 'leak', false) as s");
  });
  const leaving = await Promise.all(Array.from({ length: 8 }, () => pooler.connect()));
  for (const [index, client] of leaving.entries()) {
    await client.query("select * from leaky");
    await client.query("set timezone to 'Asia/Tokyo'");
    await client.query("create temp table t (a int)");
    await client.query("select pg_advisory_lock(7)");
    await client.query("prepare p as select 1");
    if (index % 2 === 0) {
      await client.end();
    } else {
      client.connection.stream.destroy();
    }
  }
  // In a transaction each holds a connection: together they see all four.
  const next = await Promise.all(Array.from({ length: CAPACITY }, () => pooler.connect()));
  await Promise.all(next.map((client) => client.query("begin; select 1")));
  for (const client of next) {
    const { rows } = await client.query(
      `select current_setting('search_path') as path, current_setting('timezone') = 'Asia/Tokyo' as tz,
       to_regclass('pg_temp.t') as temp, (select count(*)::int from pg_prepared_statements where name = 'p') as prepared,
       (select count(*)::int from pg_locks where locktype = 'advisory') as locks`,
    );
    expect(rows).toEqual([
      { path: '"$user", public', tz: false, temp: null, prepared: 0, locks: 0 },
    ]);
  }
  await Promise.all(next.map((client) => client.end()));
}, 60_000);

test("who listens is notified, on a connection of its own", async () => {
  const listener = await pooler.connect();
  await listener.query("listen news");
  const told = once(listener, "notification");
  await withClient(async (client) => await client.query("notify news, 'hello'"));
  expect(await told).toMatchObject([{ channel: "news", payload: "hello" }]);
  await listener.end();
});

test("a wrong password and an unknown database are refused as PostgreSQL does", async () => {
  await expect(pooler.connect({ password: "wrong" })).rejects.toMatchObject({ code: "28P01" });
  await expect(pooler.connect({ user: "nobody" })).rejects.toMatchObject({ code: "28P01" });
  await expect(pooler.connect({ database: "nowhere" })).rejects.toMatchObject({
    code: "3D000",
    message: 'database "nowhere" does not exist',
  });
});
