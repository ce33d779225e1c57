import type { Notification } from "pg";
import type pg from "pg";
import postgresJs from "postgres";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ClientPooler } from "./client-pooler.ts";

const LISTENER = "multipooler % listen";
const CAPACITY = 4;

let pooler: ClientPooler;

beforeAll(async () => {
  pooler = await ClientPooler.start({ "connpool-global-capacity": String(CAPACITY) });
});

afterAll(async () => {
  await pooler?.[Symbol.asyncDispose]();
});

/** What a client is notified of, as it comes. */
class Listener {
  readonly received: string[] = [];
  readonly client: pg.Client;
  /** The error that the connection ended with. */
  readonly failed: Promise<Error>;
  #came = Promise.withResolvers<void>();

  constructor(client: pg.Client) {
    this.client = client;
    client.on("notification", ({ channel, payload }: Notification) => {
      this.received.push(`${channel} ${payload}`);
      this.#came.resolve();
      this.#came = Promise.withResolvers();
    });
    const { promise, resolve } = Promise.withResolvers<Error>();
    client.on("error", resolve);
    this.failed = promise;
  }

  static async connect(): Promise<Listener> {
    return new Listener(await pooler.connect());
  }

  async take(count: number): Promise<readonly string[]> {
    while (this.received.length < count) {
      await this.#came.promise;
    }
    return this.received.splice(0, count);
  }
}

async function connections(name: string): Promise<number[]> {
  const rows = await pooler.postgres.sql(
    "select pid from pg_stat_activity where application_name like $1",
    { values: [name] },
  );
  return rows.map(({ pid }) => Number(pid));
}

test("a hundred clients listen over one connection, while others work", async () => {
  const listeners = await Promise.all(Array.from({ length: 100 }, () => Listener.connect()));
  await Promise.all(
    listeners.map(async ({ client }, index) => {
      await client.query("listen everybody");
      await client.query(`listen own_${index}`);
    }),
  );
  expect(await connections(LISTENER)).toHaveLength(1);
  const worker = await pooler.connect();
  const expected = Array.from({ length: 200 }, (_, n) => `everybody ${n}`);
  for (let n = 0; n < 200; n += 1) {
    await worker.query("select pg_notify('everybody', $1)", [String(n)]);
  }
  await worker.query("notify own_42, 'only you'");
  for (const [index, listener] of listeners.entries()) {
    const all = index === 42 ? [...expected, "own_42 only you"] : expected;
    expect(await listener.take(all.length)).toEqual(all);
    // It runs statements like any other client.
    const { rows } = await listener.client.query("select 1 as one");
    expect(rows).toEqual([{ one: 1 }]);
  }
  expect((await connections("multipooler % regular")).length).toBeLessThan(CAPACITY);
  await Promise.all([worker.end(), ...listeners.map(({ client }) => client.end())]);
});

test("a notification that is sent after LISTEN has returned is not missed", async () => {
  const notifier = await pooler.connect();
  for (let round = 0; round < 50; round += 1) {
    const listener = await Listener.connect();
    await listener.client.query(`listen round_${round % 3}`);
    await notifier.query(`notify round_${round % 3}, '${round}'`);
    expect(await listener.take(1)).toEqual([`round_${round % 3} ${round}`]);
    await listener.client.end();
  }
  await notifier.end();
});

test("a client that keeps a connection says LISTEN again, prepared and in transactions", async () => {
  const listener = await Listener.connect();
  const { client } = listener;
  await client.query("listen jobs");
  await client.query("select pg_advisory_lock(5)");
  const again = { name: "again", text: "listen jobs" };
  await client.query(again);
  await client.query(again);
  await client.query("listen jobs; listen tasks");
  await client.query("begin");
  await client.query(again);
  await client.query("commit");
  const notifier = await pooler.connect();
  for (const [channel, payload] of [
    ["jobs", "1"],
    ["tasks", "2"],
    ["jobs", "3"],
  ]) {
    await notifier.query("select pg_notify($1, $2)", [channel, payload]);
  }
  await client.query("notify jobs, '4'");
  expect(await listener.take(4)).toEqual(["jobs 1", "tasks 2", "jobs 3", "jobs 4"]);
  await client.query("select pg_advisory_unlock(5)");
  await Promise.all([notifier.end(), client.end()]);
  expect(listener.received).toEqual([]);
});

test("a client that listens gets an error when the connection behind it is lost", async () => {
  const listener = await Listener.connect();
  await listener.client.query("listen a");
  const bystander = await pooler.connect();
  for (const pid of await connections(LISTENER)) {
    await pooler.postgres.sql("select pg_terminate_backend($1)", { values: [pid] });
  }
  expect(await listener.failed).toMatchObject({
    severity: "FATAL",
    code: "08006",
    message: expect.stringMatching(/notifications may have been missed/),
  });
  await bystander.query("listen a");
  await bystander.end();
});

test("postgres.js listens, unlistens, and comes back by itself", async () => {
  const { user, password, ...address } = pooler.address;
  const sql = postgresJs({ ...address, user, pass: password, max: 2 });
  const seen: string[] = [];
  let came = Promise.withResolvers<void>();
  const see = (what: string): void => {
    seen.push(what);
    came.resolve();
    came = Promise.withResolvers();
  };
  const until = async (count: number): Promise<void> => {
    while (seen.length < count) {
      await came.promise;
    }
  };
  const listening = await sql.listen("news", see, () => see("listening"));
  await sql.notify("news", "one");
  await until(2);
  for (const pid of await connections(LISTENER)) {
    await pooler.postgres.sql("select pg_terminate_backend($1)", { values: [pid] });
  }
  await until(3);
  await sql.notify("news", "two");
  await until(4);
  expect(seen).toEqual(["listening", "one", "listening", "two"]);
  await listening.unlisten();
  await sql.end();
});
