import type { TestPostgres, TemporaryDatabase } from "@multipooler/test-postgres";
import { expect, test } from "vitest";
import type { MultiPooler } from "../src/multi-pooler.ts";
import type { MultiPoolerOptions } from "../src/multi-pooler-options.ts";
import { CountingShare } from "./counting-share.ts";
import { query } from "@multipooler/conversations";
import { databaseOf, servingPooler, sessionCount } from "./pooler-fixture.ts";
import { TestClient } from "./session-client.ts";
import { useServer } from "./test-server.ts";

/** How long something may take to show. */
const PATIENCE = { timeout: 10_000 } as const;

let postgres: TestPostgres;

useServer((started) => {
  postgres = started;
});

interface Scene extends AsyncDisposable {
  readonly pooler: MultiPooler;
  readonly share: CountingShare;
  readonly databases: readonly TemporaryDatabase[];
  readonly connect: (database: string, user?: string) => Promise<TestClient>;
}

async function setUp(options: Partial<MultiPoolerOptions> = {}, count = 2): Promise<Scene> {
  const parts = new AsyncDisposableStack();
  const databases: TemporaryDatabase[] = [];
  for (let index = 0; index < count; index += 1) {
    databases.push(parts.use(await postgres.createDatabase()));
  }
  const share = new CountingShare(50);
  const handle = databaseOf(postgres, { share });
  const pooler = parts.use(await servingPooler(handle, { databases: ["test_*"], ...options }));
  let clients = 0;
  return {
    pooler,
    share,
    databases,
    connect: async (database, user = "") => {
      const client = new TestClient();
      clients += 1;
      const caller = { user, database, settings: new Map(), origin: `client ${clients}` };
      client.attach(await pooler.getExecutor().openSession(caller, client));
      return client;
    },
    [Symbol.asyncDispose]: () => parts.disposeAsync(),
  };
}

const nameAt = ({ databases }: Scene, index: number): string => databases[index]?.name ?? "";

test("each session is in the database that it names", async () => {
  await using scene = await setUp();
  for (const name of ["postgres", nameAt(scene, 0), nameAt(scene, 1), ""]) {
    const client = await scene.connect(name);
    const expected = name === "" ? "postgres" : name;
    expect(await client.ask(query("select current_database()"))).toContain(`D ${expected}`);
    await client.session.end("now");
  }
});

test.each([
  ["nobody_has_it", "3D000", 'database "nobody_has_it" does not exist'],
  ["template1", "3D000", 'database "template1" does not exist'],
  ["template0", "3D000", 'database "template0" does not exist'],
])("%s is refused with %s", async (name, code, message) => {
  await using scene = await setUp({ databases: ["*"] }, 0);
  await expect(scene.connect(name)).rejects.toMatchObject({ diagnostic: { code, message } });
});

test("a template that is named is served, one that takes no connection is not", async () => {
  await using scene = await setUp({ databases: ["template1", "template0"] }, 0);
  const client = await scene.connect("template1");
  expect(await client.ask(query("select current_database()"))).toContain("D template1");
  await client.session.end("now");
  await expect(scene.connect("template0")).rejects.toMatchObject({
    diagnostic: {
      code: "55000",
      message: 'database "template0" is not currently accepting connections',
    },
  });
});

test("a name is cut to 63 bytes as PostgreSQL does it", async () => {
  await using scene = await setUp({}, 0);
  await using long = await postgres.createDatabase(`test_${"x".repeat(58)}`);
  const client = await scene.connect(`${long.name}yz`);
  expect(await client.ask(query("select current_database()"))).toContain(`D ${long.name}`);
  await client.session.end("now");
});

test("a database that is not allowed does not exist", async () => {
  await using scene = await setUp({ databases: ["else*"] }, 1);
  await expect(scene.connect(nameAt(scene, 0))).rejects.toMatchObject({
    diagnostic: { code: "3D000" },
  });
});

test("a user without the right to connect is told as PostgreSQL does", async () => {
  await using scene = await setUp({}, 1);
  const name = nameAt(scene, 0);
  await postgres.sql(`revoke connect on database "${name}" from public`);
  await postgres.sql("create role stranger login");
  await expect(scene.connect(name, "stranger")).rejects.toMatchObject({
    diagnostic: {
      code: "42501",
      message: `permission denied for database "${name}"`,
      detail: "User does not have CONNECT privilege.",
    },
  });
  await (await scene.connect(name)).session.end("now");
});

test("many clients that come at once open one database once", async () => {
  await using scene = await setUp({ capacity: 4 });
  const names = [0, 1].map((index) => nameAt(scene, index));
  const clients = await Promise.all(
    Array.from({ length: 40 }, async (_, index) => await scene.connect(names[index % 2] ?? "")),
  );
  await Promise.all(
    clients.map(async (client, index) => {
      const answer = await client.ask(query("select current_database()"));
      expect(answer).toContain(`D ${names[index % 2]}`);
    }),
  );
  // One more reads catalogs.
  expect(scene.share.used).toBeLessThanOrEqual(5);
  await Promise.all(clients.map((client) => client.session.end("now")));
});

test("a flood in one database leaves another its part", async () => {
  await using scene = await setUp({ capacity: 4 });
  const flood = await Promise.all(Array.from({ length: 8 }, () => scene.connect(nameAt(scene, 0))));
  const over = new AbortController();
  const flooding = flood.map(async (client) => {
    while (!over.signal.aborted) {
      await client.ask(query("begin; select pg_sleep(0.02); commit"));
    }
  });
  const other = await scene.connect(nameAt(scene, 1));
  for (let round = 0; round < 5; round += 1) {
    expect(await other.ask(query("select current_database()"))).toContain(`D ${nameAt(scene, 1)}`);
  }
  await expect.poll(() => sessionCount(postgres, nameAt(scene, 1))).toBeGreaterThan(0);
  // One more reads catalogs.
  expect(scene.share.used).toBeLessThanOrEqual(5);
  over.abort();
  await Promise.all(flooding);
});

test("a database that is dropped ends its sessions, and does not exist afterwards", async () => {
  await using scene = await setUp();
  const [dropped, kept] = [nameAt(scene, 0), nameAt(scene, 1)];
  const lost = await scene.connect(dropped);
  const other = await scene.connect(kept);
  await lost.ask(query("select 1"));
  await postgres.sql(`drop database "${dropped}" with (force)`);
  await expect.poll(() => lost.isEnded, PATIENCE).toBe(true);
  expect(lost.messages.at(-1)).toBe("FATAL 57P01");
  await expect(scene.connect(dropped)).rejects.toMatchObject({ diagnostic: { code: "3D000" } });
  expect(await other.ask(query("select 1"))).toContain("D 1");
  // One that is created again under the name is another database.
  await using again = await postgres.createDatabase(dropped);
  const client = await scene.connect(again.name);
  expect(await client.ask(query("select current_database()"))).toContain(`D ${dropped}`);
  await client.session.end("now");
});

test("a database that no session uses keeps no connection", async () => {
  await using scene = await setUp({ unusedDatabaseMs: 100 });
  const name = nameAt(scene, 0);
  const client = await scene.connect(name);
  await client.ask(query("select 1"));
  expect(await sessionCount(postgres, name)).toBeGreaterThan(0);
  await client.session.end("now");
  await expect.poll(() => sessionCount(postgres, name), PATIENCE).toBe(0);
  const again = await scene.connect(name);
  expect(await again.ask(query("select 1"))).toContain("D 1");
  await again.session.end("now");
});

test("statements are judged by the catalog of their own database", async () => {
  await using scene = await setUp({ capacity: 1 });
  const name = nameAt(scene, 0);
  const client = await scene.connect(name);
  await client.ask(
    query(
      "create function leave() returns text language sql as $$ select set_config('geqo', 'off', false) $$",
    ),
  );
  await client.ask(query("select leave()"));
  await client.session.end("now");
  const next = await scene.connect(name);
  expect(await next.ask(query("show geqo"))).toContain("D on");
  await next.session.end("now");
});

test("the catalog is read although clients hold every connection to their database", async () => {
  await using scene = await setUp({ maxConnectionsPerDatabase: 2 }, 1);
  const name = nameAt(scene, 0);
  const [doubtful, busy, waiting] = await Promise.all([1, 2, 3].map(() => scene.connect(name)));
  await busy?.ask([query("create table t (a int)"), query("begin; select 1")], 2);
  // What is judged between a change of the catalog and its reading may have left anything.
  await doubtful?.ask(query("select upper('x')"));
  expect(await waiting?.ask(query("select 2"))).toContain("D 2");
  await Promise.all([
    doubtful?.session.end("now"),
    busy?.session.end("now"),
    waiting?.session.end("now"),
  ]);
});

test("the place for reading catalogs is kept while there are further databases, and no longer", async () => {
  await using scene = await setUp({ unusedDatabaseMs: 100 }, 1);
  scene.share.limit = 4;
  const name = nameAt(scene, 0);
  const other = await scene.connect(name);
  await other.ask(query("begin; select 1"));
  const held = await Promise.all([1, 2, 3].map(() => scene.connect("")));
  await Promise.all(held.slice(1).map((client) => client.ask(query("begin; select 1"))));
  const last = held[0]?.ask(query("begin; select 1"));
  expect(scene.share.used).toBe(4);
  // Of the four, one reads the catalog of the other database when need be.
  const open =
    "select count(*)::int as n from pg_stat_activity where state = 'idle in transaction'";
  expect(await postgres.sql(open)).toEqual([{ n: 3 }]);
  await other.session.end("now");
  expect(await last).toContain("C BEGIN");
  const more = await scene.connect("");
  expect(await more.ask(query("begin; select 1"))).toContain("C BEGIN");
  expect(await postgres.sql(open)).toEqual([{ n: 4 }]);
  await Promise.all([...held, more].map((client) => client.session.end("now")));
});

test.each([
  ["dropped", (name: string): string => `drop database "${name}"`],
  ["renamed", (name: string): string => `alter database "${name}" rename to "${name}_former"`],
  ["copied", (name: string): string => `create database "${name}_copy" template "${name}"`],
])("a database whose last client has left can be %s", async (_, statement) => {
  await using scene = await setUp({}, 1);
  const name = nameAt(scene, 0);
  const [leaving, staying] = await Promise.all([scene.connect(name), scene.connect(name)]);
  await leaving.ask(query("select 1"));
  const attempt = async (): Promise<unknown> =>
    await postgres.sql(statement(name)).then(
      () => "done",
      (error: unknown) => (error instanceof Error && "code" in error ? error.code : error),
    );
  await leaving.session.end("now");
  // A client that is connected is another user of the database.
  expect(await attempt()).toBe("55006");
  expect(await staying.ask(query("select 2"))).toContain("D 2");
  await staying.session.end("now");
  await expect.poll(attempt, { timeout: 20_000 }).toBe("done");
});
