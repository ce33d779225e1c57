import type { AdminRow, DatabaseHandle } from "@multipooler/controller-api";
import { query } from "@multipooler/conversations";
import type { QueryService } from "@multipooler/query-service";
import type { TestPostgres } from "@multipooler/test-postgres";
import { expect, test } from "vitest";
import { PRIMARY, REPLICA, STOPPED, databaseOf, request, servingPooler } from "./pooler-fixture.ts";
import { RecordingSink } from "./recording-sink.ts";
import { TestClient } from "./session-client.ts";
import { useServer } from "./test-server.ts";

const OWN_VPID =
  "select vpid::text from multigres.backend_vpid where backend_pid = pg_backend_pid()";
const TRACKING = { tracksVirtualPids: true };

let postgres: TestPostgres;

useServer(async (server) => {
  postgres = server;
  await postgres.sql("create schema multigres");
  await postgres.sql(`create unlogged table multigres.backend_vpid (backend_pid int primary key,
    vpid bigint not null, updated_at timestamptz not null default now())`);
});

/** The server, with every statement that goes over the manager's connections to the table. */
class WatchedDatabase {
  readonly statements: string[] = [];
  readonly handle: DatabaseHandle;
  /** What holds the next statement up. */
  #gate: Promise<void> = Promise.resolve();
  #arrived = Promise.withResolvers<void>();

  constructor() {
    const handle = databaseOf(postgres);
    this.handle = {
      ...handle,
      admin: async (sql, values, options): Promise<readonly AdminRow[]> => {
        if (sql.includes("backend_vpid")) {
          this.statements.push(sql);
          this.#arrived.resolve();
          await this.#gate;
        }
        return await handle.admin(sql, values, options);
      },
    };
  }

  /** Holds up what comes from now on, until `open`; resolves `arrived` with the first of it. */
  hold(): { readonly arrived: Promise<void>; readonly open: () => void } {
    const gate = Promise.withResolvers<void>();
    this.#gate = gate.promise;
    this.#arrived = Promise.withResolvers();
    return { arrived: this.#arrived.promise, open: gate.resolve };
  }
}

async function connect(
  service: QueryService,
  virtualPid: number,
  database = "",
): Promise<TestClient> {
  const client = new TestClient();
  const caller = { user: "", database, settings: new Map(), origin: "", virtualPid };
  client.attach(await service.openSession(caller, client));
  return client;
}

async function recorded(): Promise<unknown> {
  return await postgres.sql("select vpid::text from multigres.backend_vpid order by vpid");
}

test("sessions find themselves in the table, in transactions too, and share no connection", async () => {
  await using pooler = await servingPooler(databaseOf(postgres), TRACKING);
  const service = pooler.getExecutor();
  const clients = await Promise.all([1, 2, 3].map((pid) => connect(service, pid)));
  for (let round = 0; round < 20; round += 1) {
    const answers = clients.map((client) => client.ask(query(OWN_VPID)));
    expect(await Promise.all(answers)).toEqual(
      [1, 2, 3].map((pid) => ["T", `D ${pid}`, "C SELECT 1", "Z I"]),
    );
  }
  await clients[0]?.ask(query("begin"));
  await clients[0]?.ask(query("select 1"));
  expect(await clients[1]?.ask(query("select 1"))).toContain("Z I");
  await expect.poll(recorded).toEqual([{ vpid: "1" }]);
  await clients[0]?.ask(query("rollback"));
  await expect.poll(recorded).toEqual([]);
  await Promise.all(clients.map((client) => client.session.end("now")));
});

test("a client that leaves in a transaction is in the table no more", async () => {
  await using pooler = await servingPooler(databaseOf(postgres), TRACKING);
  const client = await connect(pooler.getExecutor(), 7);
  await client.ask(query("begin; select 1"));
  expect(await recorded()).toEqual([{ vpid: "7" }]);
  await client.session.end("now");
  expect(await recorded()).toEqual([]);
});

test("a client of a further database is in the table of the main one", async () => {
  await using other = await postgres.createDatabase();
  await using pooler = await servingPooler(databaseOf(postgres), {
    ...TRACKING,
    databases: [other.name],
  });
  const client = await connect(pooler.getExecutor(), 3, other.name);
  await client.ask(query("begin; select 1"));
  expect(await recorded()).toEqual([{ vpid: "3" }]);
  await client.session.end("now");
  expect(await recorded()).toEqual([]);
});

test.each([
  ["without the option", PRIMARY, {}],
  ["as a replica", REPLICA, TRACKING],
])("the table is not touched %s", async (_, target, options) => {
  const database = new WatchedDatabase();
  await using pooler = await servingPooler(database.handle, { target, ...options });
  const client = await connect(pooler.getExecutor(), 1);
  expect(await client.ask(query(OWN_VPID))).toEqual(["T", "C SELECT 0", "Z I"]);
  await client.session.end("now");
  expect(database.statements).toEqual([]);
});

test("a pooler that becomes a replica and a primary again follows", async () => {
  await using pooler = await servingPooler(databaseOf(postgres), TRACKING);
  const own = async (virtualPid: number): Promise<(string | null)[]> => {
    const sink = new RecordingSink();
    const asked = request(OWN_VPID);
    const caller = { ...asked.caller, virtualPid };
    await pooler.getExecutor().streamExecute({ ...asked, caller }, sink);
    return sink.values;
  };
  expect(await own(5)).toEqual(["5"]);
  await pooler.setServingType(REPLICA);
  expect(await own(5)).toEqual([]);
  await pooler.setServingType(PRIMARY);
  expect(await own(6)).toEqual(["6"]);
  await pooler.setServingType(STOPPED);
  expect(await recorded()).toEqual([]);
});

test("a call that is given up while its row is written gives the connection back", async () => {
  const database = new WatchedDatabase();
  await using pooler = await servingPooler(database.handle, { ...TRACKING, capacity: 1 });
  const asked = request("select 1");
  const service = pooler.getExecutor();
  const abort = new AbortController();
  const held = database.hold();
  const call = service.streamExecute(
    { ...asked, caller: { ...asked.caller, virtualPid: 8 } },
    new RecordingSink(),
    { signal: abort.signal },
  );
  await held.arrived;
  abort.abort();
  await expect(call).rejects.toMatchObject({ code: "CANCELLED" });
  held.open();
  const sink = new RecordingSink();
  await service.streamExecute(asked, sink);
  expect(sink.values).toEqual(["1"]);
  expect(await recorded()).toEqual([]);
});

test("many changes at once go in few statements", async () => {
  const database = new WatchedDatabase();
  await using pooler = await servingPooler(database.handle, TRACKING);
  const clients = await Promise.all(
    Array.from({ length: 10 }, (_, index) => connect(pooler.getExecutor(), index + 1)),
  );
  // Each has a connection then.
  await Promise.all(clients.map((client) => client.ask(query("select pg_sleep(0.1)"))));
  await expect.poll(recorded).toEqual([]);
  database.statements.length = 0;
  await Promise.all(clients.map((client) => client.ask(query("select pg_sleep(0.1)"))));
  await expect.poll(recorded).toEqual([]);
  expect(database.statements.length).toBeLessThan(15);
  await Promise.all(clients.map((client) => client.session.end("now")));
});

test("a connection that PostgreSQL ends leaves no row", async () => {
  await using pooler = await servingPooler(databaseOf(postgres), TRACKING);
  const client = await connect(pooler.getExecutor(), 9);
  await client.ask(query("begin; select 1"));
  await postgres.sql("select pg_terminate_backend(backend_pid) from multigres.backend_vpid");
  await expect.poll(recorded).toEqual([]);
  await client.session.end("now");
});
