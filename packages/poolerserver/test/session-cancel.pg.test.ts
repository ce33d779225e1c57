import { expect, test } from "vitest";
import { extended, query } from "@multipooler/conversations";
import { untilSleeping } from "./test-server.ts";
import { useSessionStage } from "./session-stage.ts";

const stage = useSessionStage();
const { sql, scene } = stage;

test("a statement that does not heed its cancel is gone when its client is", async () => {
  await sql(`create function stubborn() returns void language plpgsql as $$
    begin loop
      begin perform pg_sleep(100); exception when query_canceled then null; end;
    end loop; end $$`);
  await using pooler = await scene({ capacity: 1 });
  const client = await pooler.connect();
  await client.ask(query("begin"));
  client.send(query("select stubborn()"));
  await untilSleeping(stage.postgres, stage.database.name, 1);
  client.session.cancel();
  await client.session.end("now");
  await untilSleeping(stage.postgres, stage.database.name, 0);
  const next = await pooler.connect();
  expect(await next.ask(query("select 1"))).toContain("D 1");
});

test("a queued statement is cancelled at once, a running one at the server", async () => {
  await using pooler = await scene({ capacity: 1 });
  const [one, two] = [await pooler.connect(), await pooler.connect()];
  one.send(query("select pg_sleep(100)"));
  two.send(extended("select pg_sleep(0)"), query("select 2"));
  await untilSleeping(stage.postgres, stage.database.name, 1);
  expect(two.session.describe()).toMatchObject({ type: "queued" });
  two.session.cancel();
  expect(await two.answers()).toEqual(["E 57014", "Z I"]);
  one.session.cancel();
  expect(await one.answers()).toEqual(["T", "E 57014", "Z I"]);
  expect(await two.answers()).toEqual(["T", "D 2", "C SELECT 1", "Z I"]);
  // C4: nothing runs any more.
  one.session.cancel();
  expect(await one.ask(query("select 2"))).toEqual(["T", "D 2", "C SELECT 1", "Z I"]);
});

test("a cancel does not hit those that share the backend", async () => {
  await using pooler = await scene({ capacity: 1 });
  const clients = await Promise.all(Array.from({ length: 4 }, async () => await pooler.connect()));
  for (let round = 0; round < 50; round += 1) {
    for (const client of clients) {
      client.send(query("select 1"));
    }
    clients[round % 3]?.session.cancel();
    const [, , , last] = await Promise.all(clients.map(async (client) => await client.answers()));
    expect(last).toEqual(["T", "D 1", "C SELECT 1", "Z I"]);
  }
});

test("what a client runs on a shared backend is cancelled when it leaves", async () => {
  await using pooler = await scene({ capacity: 1 });
  const client = await pooler.connect();
  client.send(query("select pg_sleep(100)"));
  await untilSleeping(stage.postgres, stage.database.name, 1);
  await client.session.end("now");
  await untilSleeping(stage.postgres, stage.database.name, 0);
  const next = await pooler.connect();
  expect(await next.ask(query("select 1"))).toContain("D 1");
  expect(pooler.backends).toHaveLength(1);
});
