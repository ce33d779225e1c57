import { once } from "node:events";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type pg from "pg";
import { from as copyFrom, to as copyTo } from "pg-copy-streams";
import postgres from "postgres";
import { afterAll, beforeAll, expect, test } from "vitest";
import { GatewayPooler } from "./gateway-pooler.ts";

/** How long something may take to show. */
const PATIENCE = { timeout: 10_000 } as const;

let pooler: GatewayPooler;

beforeAll(async () => {
  pooler = await GatewayPooler.start();
});

afterAll(async () => {
  await pooler?.[Symbol.asyncDispose]();
});

async function withClient<T>(
  use: (client: pg.Client) => Promise<T>,
  options: pg.ClientConfig = {},
): Promise<T> {
  const client = await pooler.connect(options);
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
    await client.query("insert into account values ($1, $2)", [1, 100]);
    await client.query("commit");
    await client.query("begin isolation level serializable");
    await client.query("update account set balance = $1", [0]);
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
  const open = "select 1 from pg_stat_activity where state like 'idle in transaction%'";
  await expect.poll(() => pooler.postgres.sql(open), PATIENCE).toEqual([]);
});

test("a prepared name is each client's own", async () => {
  const clients = await Promise.all(Array.from({ length: 3 }, () => pooler.connect()));
  try {
    for (const round of [1, 2]) {
      for (const [index, client] of clients.entries()) {
        const query = { name: "same", text: `select ${index} * $1::int as product` };
        const { rows } = await client.query({ ...query, values: [round] });
        expect(rows).toEqual([{ product: index * round }]);
      }
    }
  } finally {
    await Promise.all(clients.map((client) => client.end()));
  }
});

test("other users log in with their own passwords", async () => {
  await pooler.postgres.sql("create role alice login password 'wonder'");
  const who = "select session_user::text as who";
  const alice = { user: "alice", password: "wonder" };
  const { rows } = await withClient((client) => client.query(who), alice);
  expect(rows).toEqual([{ who: "alice" }]);
  const refused = withClient((client) => client.query(who), { ...alice, password: "wrong" });
  await expect(refused).rejects.toMatchObject({ code: "28P01" });
});

test("a client that goes in the middle of a statement leaves nothing that runs", async () => {
  const client = await pooler.connect();
  const sleeping = "select 1 from pg_stat_activity where wait_event = 'PgSleep'";
  const query = client.query("select pg_sleep(60)").catch(() => undefined);
  await expect.poll(() => pooler.postgres.sql(sleeping), PATIENCE).toHaveLength(1);
  await client.end();
  await query;
  await expect.poll(() => pooler.postgres.sql(sleeping), PATIENCE).toEqual([]);
});

test("a driver that describes its statements first gets what it asks for", async () => {
  const sql = postgres({ ...pooler.address, max: 1, onnotice: () => undefined });
  try {
    expect([...(await sql`select ${1}::int + 1 as n, ${"x"}::text as t`)]).toEqual([
      { n: 2, t: "x" },
    ]);
    await sql`create table described (id int)`;
    const added = await sql.begin(async (inside) => {
      await inside`insert into described values (${7})`;
      return [...(await inside`select id from described`)];
    });
    expect(added).toEqual([{ id: 7 }]);
    await expect(sql`select nothing`).rejects.toMatchObject({ code: "42703" });
  } finally {
    await sql.end();
  }
});

test("node-postgres streams a COPY in and out, and gives one up", async () => {
  await withClient(async (client) => {
    await client.query("create table streamed (a int)");
    const lines = Array.from({ length: 2000 }, (_, index) => `${index}\n`);
    await pipeline(Readable.from(lines), client.query(copyFrom("copy streamed from stdin")));
    let bytes = 0;
    for await (const chunk of client.query(copyTo("copy streamed to stdout"))) {
      bytes += Buffer.from(chunk).length;
    }
    expect(bytes).toBe(lines.join("").length);
    const given = client.query(copyFrom("copy streamed from stdin"));
    given.write("1\n");
    given.destroy();
    await expect(once(given, "close")).rejects.toThrow(/^COPY aborted: /);
    const { rows } = await client.query("select count(*)::int as n from streamed");
    expect(rows).toEqual([{ n: lines.length }]);
  });
});

test("LISTEN in a transaction takes effect with its COMMIT, and not at all without", async () => {
  await withClient(async (client) => {
    const got: string[] = [];
    client.on("notification", ({ channel, payload }) => got.push(`${channel} ${payload}`));
    await client.query("begin");
    await client.query("listen dropped");
    await client.query("rollback");
    await client.query("begin; listen kept; notify kept, 'own'; commit");
    await withClient(async (other) => {
      await other.query("notify dropped, 'lost'");
      await other.query("notify kept, 'theirs'");
    });
    await expect.poll(() => got.at(-1), PATIENCE).toBe("kept theirs");
    expect(got).not.toContain("dropped lost");
    await client.query("begin");
    await client.query("unlisten kept");
    await client.query("commit");
    await client.query("notify kept, 'late'");
    await client.query("listen other");
    await client.query("notify other, 'last'");
    await expect.poll(() => got.at(-1), PATIENCE).toBe("other last");
    expect(got).not.toContain("kept late");
  });
});

test("a client gets what others and it itself notify, in order, until it stops listening", async () => {
  await withClient(async (client) => {
    const got: string[] = [];
    client.on("notification", ({ channel, payload }) => got.push(`${channel} ${payload}`));
    await client.query("listen a");
    await client.query('listen "B c"');
    await client.query("notify a, '1'");
    await withClient(async (other) => {
      await other.query("notify \"B c\", '2'");
      await other.query("begin");
      await other.query("notify a, 'never'");
      await other.query("rollback");
      await other.query("notify a, '3'");
    });
    await expect.poll(() => got, PATIENCE).toEqual(["a 1", "B c 2", "a 3"]);
    await client.query("unlisten a");
    await client.query("notify a, '4'");
    await client.query("notify \"B c\", '5'");
    await expect.poll(() => got.slice(3), PATIENCE).toEqual(["B c 5"]);
    await client.query("unlisten *");
  });
});
