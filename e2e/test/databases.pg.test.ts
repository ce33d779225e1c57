import pg from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ClientPooler } from "./client-pooler.ts";

const CAPACITY = 4;
/** How long something may take to show. */
const PATIENCE = { timeout: 15_000 } as const;

let pooler: ClientPooler;

beforeAll(async () => {
  pooler = await ClientPooler.start({
    "connpool-global-capacity": String(CAPACITY),
    "connpool-max-connections-per-database": "3",
    "pg-databases": "tenant_*,template1",
    "pg-max-clients-per-database": "20",
    "pg-login-failure-limit": "3",
    "pg-database-idle-timeout": "1s",
  });
  for (const name of ["tenant_1", "tenant_2", "hidden"]) {
    await pooler.postgres.sql(`create database ${name}`);
  }
});

afterAll(async () => {
  await pooler?.[Symbol.asyncDispose]();
});

async function databaseOf(client: pg.Client): Promise<unknown> {
  const { rows } = await client.query<{ name: string }>("select current_database() as name");
  return rows[0]?.name;
}

async function connections(database?: string): Promise<number> {
  const [row] = await pooler.postgres.sql(
    `select count(*)::int as n from pg_stat_activity
     where application_name like '%regular' and datname = coalesce($1, datname)`,
    { values: [database] },
  );
  return Number(row?.["n"]);
}

test("clients use the databases that they name, under one budget", async () => {
  const names = ["postgres", "tenant_1", "tenant_2", "template1"];
  const clients = await Promise.all(
    Array.from({ length: 40 }, (_, index) => pooler.connect({ database: names[index % 4] })),
  );
  let most = 0;
  await Promise.all(
    clients.map(async (client, index) => {
      for (let round = 0; round < 5; round += 1) {
        expect(await databaseOf(client)).toBe(names[index % 4]);
        await client.query("begin");
        await client.query("select pg_sleep(0.002)");
        await client.query("commit");
      }
      most = Math.max(most, await connections());
    }),
  );
  expect(most).toBeLessThanOrEqual(CAPACITY);
  await Promise.all(clients.map((client) => client.end()));
}, 60_000);

test("a flood in one database leaves another its part, and gets no more than its limit", async () => {
  const flood = await Promise.all(
    Array.from({ length: 12 }, () => pooler.connect({ database: "tenant_1" })),
  );
  const over = new AbortController();
  const flooding = flood.map(async (client) => {
    while (!over.signal.aborted) {
      await client.query("begin");
      await client.query("select pg_sleep(0.01)");
      await client.query("commit");
    }
  });
  const other = await pooler.connect({ database: "tenant_2" });
  for (let round = 0; round < 20; round += 1) {
    expect(await databaseOf(other)).toBe("tenant_2");
  }
  expect(await connections("tenant_1")).toBeLessThanOrEqual(3);
  over.abort();
  await Promise.all(flooding);
  await Promise.all([...flood, other].map((client) => client.end()));
}, 60_000);

test.each([
  ["nobody_has_it", "3D000", 'database "nobody_has_it" does not exist'],
  ["hidden", "3D000", 'database "hidden" does not exist'],
  ["template0", "3D000", 'database "template0" does not exist'],
])("%s is refused with %s", async (database, code, message) => {
  await expect(pooler.connect({ database })).rejects.toMatchObject({ code, message });
});

test("a database that nobody uses can be dropped soon, and does not exist afterwards", async () => {
  await pooler.postgres.sql("create database tenant_3");
  const client = await pooler.connect({ database: "tenant_3" });
  await client.query("create table t (a int)");
  await client.end();
  const drop = async (): Promise<boolean> => {
    try {
      await pooler.postgres.sql("drop database tenant_3");
      return true;
    } catch {
      return false;
    }
  };
  await expect.poll(drop, PATIENCE).toBe(true);
  await expect(pooler.connect({ database: "tenant_3" })).rejects.toMatchObject({ code: "3D000" });
}, 60_000);

test("clients of a database that is dropped by force are told", async () => {
  await pooler.postgres.sql("create database tenant_4");
  const client = await pooler.connect({ database: "tenant_4" });
  const gone = Promise.withResolvers<unknown>();
  client.on("error", gone.resolve);
  await client.query("select 1");
  await pooler.postgres.sql("drop database tenant_4 with (force)");
  expect(await gone.promise).toMatchObject({ code: "57P01" });
  await expect(pooler.connect({ database: "tenant_4" })).rejects.toMatchObject({ code: "3D000" });
}, 60_000);

test("a database has no more clients than it may", async () => {
  const clients = await Promise.all(
    Array.from({ length: 20 }, () => pooler.connect({ database: "tenant_1" })),
  );
  await expect(pooler.connect({ database: "tenant_1" })).rejects.toMatchObject({
    code: "53300",
    message: 'too many connections for database "tenant_1"',
  });
  await Promise.all(clients.map((client) => client.end()));
  await expect
    .poll(async () => {
      const client = await pooler.connect({ database: "tenant_1" }).catch(() => undefined);
      await client?.end();
      return client !== undefined;
    }, PATIENCE)
    .toBe(true);
}, 60_000);

test("an address that guesses passwords of a user is refused for a while", async () => {
  await pooler.postgres.sql("create role guessed login password 'right'");
  const attempt = async (password: string): Promise<unknown> => {
    const client = new pg.Client({ ...pooler.address, user: "guessed", password });
    client.on("error", () => undefined);
    return await client.connect().catch((error: unknown) => error);
  };
  for (let round = 0; round < 3; round += 1) {
    expect(await attempt("wrong")).toMatchObject({ code: "28P01" });
  }
  expect(await attempt("right")).toMatchObject({
    code: "28000",
    message: "too many failed login attempts from this address",
  });
  // Others at the address get in.
  await (await pooler.connect()).end();
});
