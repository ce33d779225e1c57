import { query } from "@multipooler/conversations";
import type { TestPostgres } from "@multipooler/test-postgres";
import { expect, test } from "vitest";
import type { MultiPooler } from "../src/multi-pooler.ts";
import { databaseOf, servingPooler } from "./pooler-fixture.ts";
import { TestClient } from "./session-client.ts";
import { useServer } from "./test-server.ts";

const TABLES = 300;
const CLIENTS = 6;
const ROUNDS = 20;

let postgres: TestPostgres;

useServer((started) => {
  postgres = started;
});

async function connect(pooler: MultiPooler, origin: string): Promise<TestClient> {
  const client = new TestClient();
  const caller = { user: "", database: "", settings: new Map(), origin };
  client.attach(await pooler.getExecutor().openSession(caller, client));
  return client;
}

test("clients share one backend while another one changes the catalog all the time", async () => {
  // Without a reading for them they would wait for a rest, which may be 10 s long.
  await using pooler = await servingPooler(databaseOf(postgres), {
    capacity: 2,
    waitTimeoutMs: 5000,
  });
  const migrating = await connect(pooler, "migrating");
  const clients = await Promise.all(
    Array.from({ length: CLIENTS }, async (_, index) => await connect(pooler, `client ${index}`)),
  );
  const migration = (async () => {
    for (let n = 0; n < TABLES; n += 1) {
      expect(await migrating.ask(query(`create table made_${n} (id int primary key)`))).toContain(
        "C CREATE TABLE",
      );
    }
  })();
  await Promise.all(
    clients.map(async (client, index) => {
      for (let round = 0; round < ROUNDS; round += 1) {
        const text = `select upper('x') as of_${index}_${round}`;
        expect(await client.ask(query(text))).toContain("D X");
      }
    }),
  );
  await migration;
  // A reading since lets everybody go who has left nothing.
  await expect
    .poll(() => clients.map(({ session }) => session.describe().type), { timeout: 15_000 })
    .toEqual(clients.map(() => "idle"));
  await Promise.all([migrating, ...clients].map(({ session }) => session.end("now")));
});
