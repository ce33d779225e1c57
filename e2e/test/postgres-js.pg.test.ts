import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import postgresJs from "postgres";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ClientPooler } from "./client-pooler.ts";

/** How long something may take to show. */
const PATIENCE = { timeout: 10_000 } as const;

let pooler: ClientPooler;

beforeAll(async () => {
  pooler = await ClientPooler.start({ "connpool-global-capacity": "4" });
});

afterAll(async () => {
  await pooler?.[Symbol.asyncDispose]();
});

function client(options: postgresJs.Options<Record<string, never>> = {}): postgresJs.Sql {
  return postgresJs({ ...pooler.address, max: 2, onnotice: () => undefined, ...options });
}

test.each([true, false])(
  "pipelined statements come back in order, prepared: %s",
  async (prepare) => {
    const sql = client({ prepare });
    const answers = await Promise.all(
      Array.from({ length: 500 }, (_, index) => sql<{ n: number }[]>`select ${index}::int as n`),
    );
    expect(answers.map(([row]) => row?.n)).toEqual(Array.from({ length: 500 }, (_, n) => n));
    await sql.end();
  },
);

test("an error in a pipeline is its own statement's", async () => {
  const sql = client({ max: 1, prepare: false });
  const results = await Promise.allSettled([
    sql`select 1 as n`,
    sql`select 1/${0}::int as n`,
    sql`select 3 as n`,
  ]);
  expect(results.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled"]);
  await sql.end();
});

test("a transaction keeps its connection, and savepoints work", async () => {
  const sql = client();
  await sql`create table things (n int)`;
  await sql.begin(async (transaction) => {
    await transaction`insert into things values (1)`;
    const failed = transaction.savepoint((inner) => inner`insert into things values ('x')`);
    await expect(failed).rejects.toMatchObject({ code: "22P02" });
    await transaction`insert into things values (2)`;
  });
  expect(await sql`select n from things order by n`).toEqual([{ n: 1 }, { n: 2 }]);
  await sql.end();
});

test("a statement is cancelled without harm to its neighbours", async () => {
  const sql = client({ max: 1 });
  const others = client({ max: 1 });
  for (let round = 0; round < 5; round += 1) {
    const sleeping = sql`select pg_sleep(30)`.execute();
    const running = "select 1 from pg_stat_activity where wait_event = 'PgSleep'";
    await expect.poll(() => pooler.postgres.sql(running), PATIENCE).toHaveLength(1);
    const neighbour = others`select ${round}::int as n`;
    sleeping.cancel();
    await expect(sleeping).rejects.toMatchObject({ code: "57014" });
    expect(await neighbour).toEqual([{ n: round }]);
    expect(await sql`select 2 as n`).toEqual([{ n: 2 }]);
  }
  await Promise.all([sql.end(), others.end()]);
});

test("a cursor delivers its rows in parts", async () => {
  const sql = client({ max: 1 });
  let sum = 0;
  let parts = 0;
  for await (const rows of sql`select n from generate_series(1, 1000) n`.cursor(100)) {
    parts += 1;
    sum += rows.reduce((total, row) => total + Number(row["n"]), 0);
  }
  expect([parts, sum]).toEqual([10, 500_500]);
  await sql.end();
});

test("COPY goes in and out", async () => {
  const sql = client({ max: 1 });
  await sql`create table copied (n int, t text)`;
  const lines = Array.from({ length: 10_000 }, (_, n) => `${n}\tline ${n}\n`);
  await pipeline(Readable.from(lines), await sql`copy copied from stdin`.writable());
  let text = "";
  for await (const chunk of await sql`copy (table copied order by n) to stdout`.readable()) {
    text += String(chunk);
  }
  expect(text).toBe(lines.join(""));
  await sql.end();
});

test("a listener is notified until it stops listening", async () => {
  const sql = client();
  const heard: string[] = [];
  const { unlisten } = await sql.listen("news", (payload) => heard.push(payload));
  await sql.notify("news", "first");
  await expect.poll(() => heard, PATIENCE).toEqual(["first"]);
  await unlisten();
  await sql.notify("news", "second");
  const again = await sql.listen("news", (payload) => heard.push(payload));
  await sql.notify("news", "third");
  await expect.poll(() => heard, PATIENCE).toEqual(["first", "third"]);
  await again.unlisten();
  await sql.end();
});

test("a large object is written and read in a transaction of its own", async () => {
  const sql = client();
  const bytes = Buffer.alloc(100_000, "large");
  const object = await sql.largeObject();
  await object.write(bytes);
  await object.seek(0);
  // Its types say that it reads nothing.
  const read: unknown = await object.read(bytes.length);
  await object.close();
  expect(read).toEqual([{ data: bytes }]);
  await sql.end();
});

test("a subscription, which is replication, is refused in words", async () => {
  const sql = client();
  await expect(sql.subscribe("*", () => undefined)).rejects.toMatchObject({
    code: "0A000",
    message: expect.stringContaining('"replication"'),
  });
  await sql.end();
});
