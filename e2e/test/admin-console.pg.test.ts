import type pg from "pg";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { ClientPooler } from "./client-pooler.ts";
import { ClientProgram } from "./client-program.ts";

const CAPACITY = 4;
const psql = new ClientProgram("psql");
/** Statements of the pooler's own, at most. */
const OWN_STATEMENTS = 15;
/** How long something may take to show. */
const PATIENCE = { timeout: 10_000 } as const;

let pooler: ClientPooler;
const clients: pg.Client[] = [];

beforeAll(async () => {
  pooler = await ClientPooler.start({
    "connpool-global-capacity": String(CAPACITY),
    "pg-databases": "shop*",
    "pg-admin-users": "postgres",
    "pg-stats-users": "watcher",
  });
  for (const sql of [
    "create role watcher login password 'it''s a secret'",
    "create role nobody_special login password 'it''s a secret'",
    "create database shop",
  ]) {
    await pooler.postgres.sql(sql);
  }
});

afterEach(async () => {
  await Promise.all(clients.splice(0).map(async (client) => await client.end()));
});

afterAll(async () => {
  await pooler?.[Symbol.asyncDispose]();
});

async function connect(options: pg.ClientConfig = {}): Promise<pg.Client> {
  const client = await pooler.connect(options);
  clients.push(client);
  return client;
}

const console = async (user = "postgres"): Promise<pg.Client> =>
  await connect({ database: "multipooler", user });

async function rows(client: pg.Client, sql: string): Promise<Record<string, unknown>[]> {
  const { rows: found } = await client.query<Record<string, unknown>>(sql);
  return found;
}

test("SHOW POOLS and CLIENTS count who works, who waits and who is idle", async () => {
  const admin = await console();
  const [idle, ...busy] = await Promise.all(
    Array.from({ length: CAPACITY + 2 }, () => connect({ application_name: "shopper" })),
  );
  await Promise.all(busy.slice(0, CAPACITY).map((client) => client.query("begin; select 1")));
  const waiting = busy[CAPACITY]?.query("begin; select 1");
  await expect
    .poll(() => rows(admin, "show pools"), PATIENCE)
    .toContainEqual(
      expect.objectContaining({
        database: "postgres",
        user: "postgres",
        cl_active: CAPACITY + 1,
        cl_waiting: 1,
        sv_active: CAPACITY,
        sv_idle: 0,
        pool_mode: "transaction",
      }),
    );
  const shown = await rows(admin, "SHOW CLIENTS;");
  expect(shown.filter((row) => row["application_name"] === "shopper")).toHaveLength(CAPACITY + 2);
  expect(shown.filter(({ state }) => state === "waiting")).toHaveLength(1);
  const servers = await rows(admin, "show servers");
  expect(servers).toHaveLength(CAPACITY);
  expect(servers[0]).toMatchObject({ type: "S", state: "active", port: pooler.postgres.port });
  const pids = await pooler.postgres.sql(
    "select pid from pg_stat_activity where application_name = 'shopper'",
  );
  expect(new Set(servers.map((row) => row["remote_pid"]))).toEqual(
    new Set(pids.map(({ pid }) => pid)),
  );
  await busy[0]?.query("commit");
  await waiting;
  expect(idle).toBeDefined();
});

test("SHOW STATS counts what was done", async () => {
  const admin = await console();
  const client = await connect({ database: "shop" });
  const before = await shopTotals(admin);
  for (let round = 0; round < 10; round += 1) {
    await client.query("begin; select 1");
    await client.query("select repeat('x', 1000)");
    await client.query("commit");
  }
  const after = await shopTotals(admin);
  const gained = (name: string): number => Number(after[name]) - Number(before[name]);
  // The catalog of another database is read over its own connections.
  expect(gained("xact_count")).toBeGreaterThanOrEqual(10);
  expect(gained("query_count")).toBeGreaterThanOrEqual(30);
  expect(gained("query_count")).toBeLessThan(30 + OWN_STATEMENTS);
  expect(gained("bytes_sent")).toBeGreaterThan(10_000);
  expect(gained("bytes_received")).toBeGreaterThan(200);
  expect(gained("query_time")).toBeGreaterThan(0);
  expect(gained("xact_time")).toBeGreaterThanOrEqual(gained("query_time"));
  expect(Number(after["client_login_count"])).toBeGreaterThan(0);
});

async function shopTotals(admin: pg.Client): Promise<Record<string, unknown>> {
  const totals = await rows(admin, "show stats_totals");
  return totals.find(({ database }) => database === "shop") ?? {};
}

test("every table can be shown, in both protocols and in both formats", async () => {
  const admin = await console();
  const tables = [
    "pools",
    "clients",
    "servers",
    "sockets",
    "active_sockets",
    "stats",
    "stats_totals",
    "stats_averages",
    "databases",
    "users",
    "lists",
    "config",
    "mem",
    "state",
    "version",
    "help",
  ];
  for (const table of tables) {
    const simple = await admin.query(`show ${table}`);
    const prepared = await admin.query({ name: table, text: `show ${table}`, values: [] });
    const inBinary: pg.QueryConfig & { binary: boolean } = { text: `show ${table}`, binary: true };
    const binary = await admin.query(inBinary);
    const names = simple.fields.map(({ name }) => name);
    expect(names.length, table).toBeGreaterThan(0);
    expect(prepared.fields.map(({ name }) => name)).toEqual(names);
    expect(binary.fields.map(({ name }) => name)).toEqual(names);
    expect([simple.command, prepared.command]).toEqual(["SHOW", "SHOW"]);
  }
  const settings = await rows(admin, "show config");
  expect(settings).toContainEqual({
    key: "connpool-global-capacity",
    value: String(CAPACITY),
    default: "100",
    changeable: "yes",
  });
  expect(JSON.stringify(settings)).not.toContain(pooler.address.password);
});

test("PAUSE waits for transactions, holds new ones, and RESUME lets them go", async () => {
  const admin = await console();
  const [inTransaction, other] = [await connect(), await connect()];
  await inTransaction.query("begin; select 1");
  const paused = admin.query("pause postgres");
  await expect
    .poll(() => pooler.connect({ database: "multipooler" }).then(pausedDatabases), PATIENCE)
    .toEqual(["postgres"]);
  let isServed = false;
  const held = rows(other, "select 1 as one").then((found) => {
    isServed = true;
    return found;
  });
  expect((await inTransaction.query("select 2 as two")).rows).toEqual([{ two: 2 }]);
  await inTransaction.query("commit");
  expect((await paused).command).toBe("PAUSE");
  expect(isServed).toBe(false);
  expect(await ownConnections("postgres")).toBe(0);
  await expect(admin.query("pause postgres")).rejects.toMatchObject({ code: "55000" });
  await admin.query("resume postgres");
  expect(await held).toEqual([{ one: 1 }]);
  await expect(admin.query("resume postgres")).rejects.toMatchObject({ code: "55000" });
});

async function pausedDatabases(client: pg.Client): Promise<unknown[]> {
  const databases = await rows(client, "show databases");
  await client.end();
  return databases.filter(({ paused }) => paused === 1).map(({ name }) => name);
}

async function ownConnections(database: string): Promise<number> {
  const [row] = await pooler.postgres.sql(
    "select count(*)::int as n from pg_stat_activity where datname = $1 and application_name like '%regular'",
    { values: [database] },
  );
  return Number(row?.["n"]);
}

test("a PAUSE whose client leaves stays paused until RESUME", async () => {
  const leaving = await pooler.connect({ database: "multipooler" });
  const client = await connect();
  await client.query("begin; select 1");
  const pausing = leaving.query("pause postgres").catch(() => "left");
  await expect
    .poll(() => pooler.connect({ database: "multipooler" }).then(pausedDatabases), PATIENCE)
    .toEqual(["postgres"]);
  leaving.connection.stream.destroy();
  expect(await pausing).toBe("left");
  await client.query("commit");
  const held = client.query("select 1 as one");
  await (await console()).query("resume postgres");
  expect((await held).rows).toEqual([{ one: 1 }]);
});

test("RECONNECT replaces connections when they come back", async () => {
  const admin = await console();
  const client = await connect();
  const pid = async (): Promise<unknown> =>
    (await client.query<{ pid: number }>("select pg_backend_pid() as pid")).rows[0]?.pid;
  await client.query("begin; select 1");
  const inTransaction = await pid();
  await admin.query("reconnect");
  expect(await pid()).toBe(inTransaction);
  await client.query("commit");
  expect(await pid()).not.toBe(inTransaction);
});

test("KILL ends the clients of a database and pauses it", async () => {
  const admin = await console();
  const [idle, inTransaction] = [
    await pooler.connect({ database: "shop" }),
    await pooler.connect({ database: "shop" }),
  ];
  const elsewhere = await connect();
  await inTransaction.query("begin; select 1");
  await admin.query("kill shop");
  await expect.poll(() => ownConnections("shop"), PATIENCE).toBe(0);
  await expect(idle.query("select 1")).rejects.toBeDefined();
  await expect(inTransaction.query("select 1")).rejects.toBeDefined();
  expect((await elsewhere.query("select 1 as one")).rows).toEqual([{ one: 1 }]);
  const waiting = connect({ database: "shop" });
  await expect
    .poll(async () => (await rows(admin, "show databases")).find(({ name }) => name === "shop"))
    .toMatchObject({ paused: 1 });
  await admin.query("resume shop");
  expect((await (await waiting).query("select 1 as one")).rows).toEqual([{ one: 1 }]);
});

test("SHOW STATS counts named statements, of clients and on connections", async () => {
  const admin = await console();
  await pooler.postgres.sql("create database shop_stats");
  const [one, two] = [
    await connect({ database: "shop_stats" }),
    await connect({ database: "shop_stats" }),
  ];
  // Of a text that both have there is one on a connection.
  for (const client of [one, two, one, two]) {
    await client.query({ name: "sum", text: "select $1::int + 1 as n", values: [1] });
    await client.query("select $1::int as n", [1]);
  }
  const stats = await rows(admin, "show stats");
  expect(stats.find(({ database }) => database === "shop_stats")).toMatchObject({
    total_client_parse_count: "2",
    total_server_parse_count: "1",
    total_bind_count: "4",
    avg_bind_count: expect.any(String),
  });
  const totals = await rows(admin, "show stats_totals");
  expect(totals.find(({ database }) => database === "shop_stats")).toMatchObject({
    client_parse_count: "2",
    server_parse_count: "1",
    bind_count: "4",
  });
});

test.each(["kill", "reconnect"])(
  "after %s a database without clients can be dropped",
  async (command) => {
    const admin = await console();
    await pooler.postgres.sql("create database shop_gone");
    const last = await pooler.connect({ database: "shop_gone" });
    await last.query("select 1");
    await last.end();
    await expect
      .poll(async () => await rows(admin, "show clients"), PATIENCE)
      .not.toContainEqual(expect.objectContaining({ database: "shop_gone" }));
    await admin.query(`${command} shop_gone`);
    await pooler.postgres.sql("drop database shop_gone");
    await admin.query("resume shop_gone").catch(() => undefined);
  },
);

test("DISABLE refuses new clients, and ENABLE takes them again", async () => {
  const admin = await console();
  const before = await connect({ database: "shop" });
  await admin.query("disable shop");
  await expect(pooler.connect({ database: "shop" })).rejects.toMatchObject({ code: "55000" });
  expect((await before.query("select 1 as one")).rows).toEqual([{ one: 1 }]);
  await admin.query("enable shop");
  await connect({ database: "shop" });
});

test("KILL_CLIENT ends one client", async () => {
  const admin = await console();
  const client = await pooler.connect({ application_name: "victim" });
  const shown = await rows(admin, "show clients");
  const id = shown.find((row) => row["application_name"] === "victim")?.["id"];
  await admin.query(`kill_client ${String(id)}`);
  await expect(client.query("select 1")).rejects.toBeDefined();
  await expect(admin.query("kill_client 0")).rejects.toMatchObject({ code: "42704" });
});

test("RELOAD is done, and what is no command is an error with a hint", async () => {
  const admin = await console();
  expect((await admin.query("reload")).command).toBe("RELOAD");
  for (const [index, [sql, code]] of [
    ["select 1", "42601"],
    ["show nonsense", "42601"],
    ["pause a b", "42601"],
    ["pause nowhere", "3D000"],
    ["kill multipooler", "55000"],
  ].entries()) {
    await expect(admin.query(sql ?? "")).rejects.toMatchObject({ code });
    const prepared = { text: sql ?? "", values: [], name: `name ${index}` };
    await expect(admin.query(prepared)).rejects.toMatchObject({ code });
  }
  // What drivers send by themselves.
  await admin.query("begin");
  await admin.query("set extra_float_digits = 3");
  expect((await admin.query("show version; commit;")) as unknown).toHaveLength(2);
});

test("a stats user may SHOW only, others may not even that", async () => {
  const watcher = await console("watcher");
  expect((await rows(watcher, "show databases")).length).toBeGreaterThan(0);
  for (const command of [
    "pause",
    "resume",
    "reconnect",
    "kill shop",
    "disable shop",
    "enable shop",
    "reload",
    "kill_client 1",
  ]) {
    await expect(watcher.query(command)).rejects.toMatchObject({ code: "42501" });
  }
  await expect(
    pooler.connect({ database: "multipooler", user: "nobody_special" }),
  ).rejects.toMatchObject({ code: "42501" });
  await expect(
    pooler.connect({ database: "multipooler", password: "wrong" }),
  ).rejects.toMatchObject({ code: "28P01" });
});

test.skipIf(psql.isMissing)("psql shows the tables of the console", async () => {
  const address = { ...pooler.address, database: "multipooler" };
  const { stdout, stderr } = await psql.run(address, [
    "-X",
    "-At",
    "-c",
    "show version",
    "-c",
    "show state",
  ]);
  expect(stderr).toBe("");
  expect(stdout).toMatch(/^Multipooler \d+\.\d+\.\d+\nactive\|yes\npaused\|no\nsuspended\|no\n$/);
});

test("the console opens while PostgreSQL is down and every place is taken", async () => {
  await using own = await ClientPooler.start({ "pg-max-clients": "2" });
  const taken = [await own.connect(), await own.connect()];
  await expect(own.connect()).rejects.toMatchObject({ code: "53300" });
  const early = await own.connect({ database: "multipooler" });
  await early.end();
  await own.postgres.stop();
  const admin = await own.connect({ database: "multipooler" });
  const state = await admin.query("show databases");
  expect(state.rows.length).toBeGreaterThan(0);
  await admin.end();
  await expect(own.connect({ database: "multipooler", password: "wrong" })).rejects.toMatchObject({
    code: "28P01",
  });
  await Promise.all(taken.map(async (client) => await client.end()));
}, 60_000);
