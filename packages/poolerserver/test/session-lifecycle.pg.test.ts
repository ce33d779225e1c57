import type { QueryService } from "@multipooler/query-service";
import type { TestPostgres } from "@multipooler/test-postgres";
import { expect, test } from "vitest";
import { query } from "@multipooler/conversations";
import { databaseOf, newPooler, servingPooler, sessionCount } from "./pooler-fixture.ts";
import { TestClient } from "./session-client.ts";
import { untilSleeping, useServer } from "./test-server.ts";

let postgres: TestPostgres;

useServer((started) => {
  postgres = started;
});

async function connect(
  service: QueryService,
  caller: { user?: string; database?: string; settings?: Record<string, string> } = {},
): Promise<TestClient> {
  const client = new TestClient();
  const { user = "", database = "", settings = {} } = caller;
  const session = await service.openSession(
    { user, database, settings: new Map(Object.entries(settings)), origin: "test" },
    client,
  );
  client.attach(session);
  return client;
}

test("closing the controller tells every client, and leaves no session", async () => {
  await using database = await postgres.createDatabase();
  const pooler = await servingPooler(databaseOf(postgres, { database: database.name }));
  const service = pooler.getExecutor();
  const clients = await Promise.all([connect(service), connect(service), connect(service)]);
  const [idle, inTransaction, running] = clients;
  expect(idle?.session.parameters.get("server_encoding")).toBe("UTF8");
  await idle?.ask(query("select 1"));
  await inTransaction?.ask(query("begin; select 1"));
  running?.send(query("select pg_sleep(100)"));
  await untilSleeping(postgres, database.name, 1);
  await pooler.close();
  expect(clients.every(({ isEnded }) => isEnded)).toBe(true);
  expect(idle?.messages.at(-1)).toBe("FATAL 57P01");
  expect(inTransaction?.messages.at(-1)).toBe("FATAL 40001");
  expect(running?.messages.slice(-3)).toEqual(expect.arrayContaining(["E 57014", "FATAL 57P01"]));
  expect(await sessionCount(postgres, database.name)).toBe(0);
});

test("a session is opened only while the controller serves, and for what it serves", async () => {
  await using pooler = newPooler({ capacity: 2 });
  pooler.initDBConfig(databaseOf(postgres));
  await pooler.open();
  const service = pooler.getExecutor();
  await expect(connect(service)).rejects.toMatchObject({ code: "NOT_SERVING" });
  await pooler.setServingType({ status: "SERVING", role: "PRIMARY", reason: "the test wants it" });
  for (const [caller, code] of [
    [{ user: "someone_else" }, "AUTHENTICATION_FAILED"],
    [{ database: "another" }, "WRONG_TARGET"],
    [{ settings: { replication: "database" } }, "UNIMPLEMENTED"],
    [{ settings: { options: "-c geqo=off" } }, "UNIMPLEMENTED"],
  ] as const) {
    await expect(connect(service, caller)).rejects.toMatchObject({ code });
  }
  const client = await connect(service, { user: postgres.user, database: "postgres" });
  expect(await client.ask(query("select 1"))).toContain("D 1");
});
