import { expect, test } from "vitest";
import {
  bind,
  describe,
  execute,
  extended,
  flush,
  parse,
  query,
  sync,
  terminate,
  unknownMessage,
} from "@multipooler/conversations";
import { untilSleeping } from "./test-server.ts";
import { useSessionStage } from "./session-stage.ts";
import { said } from "./session-client.ts";

const stage = useSessionStage({}, { settings: { max_connections: "40" } });
const { sql, scene } = stage;

test("a simple query is answered as the server answers it", async () => {
  await using pooler = await scene();
  const client = await pooler.connect();
  expect(await client.ask(query("select 1 as x; select 2, null; "))).toEqual(
    said("T, D 1, C SELECT 1, T, D 2|null, C SELECT 1, Z I"),
  );
  expect(await client.ask(query(""))).toEqual(["I", "Z I"]);
  expect(await client.ask(query("select nothing"))).toEqual(["E 42703", "Z I"]);
  expect(client.session.describe()).toEqual({ type: "idle" });
});

test("groups of the extended protocol are answered as the server answers them", async () => {
  await using pooler = await scene();
  const client = await pooler.connect();
  expect(await client.ask(extended("select $1::int + 1", ["41"]))).toEqual(
    said("1, 2, D 42, C SELECT 1, Z I"),
  );
  // P1: Describe between the last Execute and Sync.
  const twice = [
    Buffer.concat([parse("select 1"), bind(), execute()]),
    Buffer.concat([parse("select 2"), bind(), execute(), describe("P"), sync]),
  ];
  expect(await client.ask(twice)).toEqual(
    said("1, 2, D 1, C SELECT 1, 1, 2, D 2, C SELECT 1, T, Z I"),
  );
  // P6: errors in Parse, and a Describe without parameters.
  expect(await client.ask([parse("selec 1"), describe("S"), sync])).toEqual(["E 42601", "Z I"]);
  expect(await client.ask([parse("select 1"), describe("S"), sync])).toEqual(said("1, t, T, Z I"));
  expect(await client.ask([bind(), execute(), sync])).toEqual(["2", "D 1", "C SELECT 1", "Z I"]);
  expect(await client.ask(sync)).toEqual(["Z I"]);
});

test("an error skips to the Sync of its own group only, while others share the backend", async () => {
  await using pooler = await scene({ capacity: 1 });
  const failing = await pooler.connect();
  const other = await pooler.connect();
  for (let round = 0; round < 50; round += 1) {
    failing.send(extended("select 1 / x from generate_series(0, 0) x"), extended("select 2"));
    other.send(query(`select ${round}`), extended("select $1::int", [String(round)]));
    expect(await failing.answers(2)).toEqual(
      said("1, 2, E 22012, Z I, 1, 2, D 2, C SELECT 1, Z I"),
    );
    expect(await other.answers(2)).toEqual(
      said(`T, D ${round}, C SELECT 1, Z I, 1, 2, D ${round}, C SELECT 1, Z I`),
    );
  }
  expect(pooler.backends).toHaveLength(1);
});

test("a named statement is each client's own, on whatever backend", async () => {
  await using pooler = await scene({ capacity: 2 });
  const [one, two] = [await pooler.connect(), await pooler.connect()];
  const use = [bind([], { statement: "s0" }), execute(), sync];
  await one.ask([parse("select 'one'", "s0"), sync]);
  await two.ask([parse("select 'two'", "s0"), sync]);
  expect(one.session.describe()).toEqual({ type: "idle" });
  for (let round = 0; round < 10; round += 1) {
    expect(await one.ask(use)).toContain("D one");
    expect(await two.ask(use)).toContain("D two");
  }
});

test("the unnamed statement of another client is out of reach", async () => {
  await using pooler = await scene({ capacity: 1 });
  const [one, two] = [await pooler.connect(), await pooler.connect()];
  await one.ask(extended("select 'secret'"));
  expect(await two.ask([bind(), execute(), sync])).toEqual(["E 26000", "Z I"]);
  // The second Parse is skipped, so that the statement on the backend is not this client's.
  await two.ask([parse("selec", "named"), parse("select 1"), sync]);
  expect(await two.ask([bind(), execute(), sync])).toEqual(["E 26000", "Z I"]);
  await two.ask(query("begin"));
  expect(await two.ask([bind(), execute(), sync])).toEqual(["E 26000", "Z E"]);
  expect(await two.ask(query("rollback"))).toEqual(["C ROLLBACK", "Z I"]);
});

test("Flush sends an unfinished group", async () => {
  await using pooler = await scene();
  const client = await pooler.connect();
  client.send(parse("select $1::int"), describe("S"), flush);
  await client.until(() => client.messages.length === 3);
  expect(client.messages).toEqual(["1", "t", "T"]);
  expect(client.session.describe()).toMatchObject({ type: "running" });
  client.send(bind(["7"]), execute(), flush);
  await client.until(() => client.messages.length === 6);
  client.send(sync);
  expect(await client.answers()).toEqual(["1", "t", "T", "2", "D 7", "C SELECT 1", "Z I"]);
  client.send(parse("selec"), flush);
  await client.until(() => client.messages.at(-1) === "E 42601");
  expect(await client.ask([bind(), execute(), sync])).toEqual(["E 42601", "Z I"]);
});

test("what no client may send ends the session", async () => {
  await using pooler = await scene();
  for (const wrong of [unknownMessage(), Buffer.from("Q\0\0\0\x03"), Buffer.from("Q\0\0\x01\0")]) {
    const client = await pooler.connect();
    client.send(query("select 1"), wrong);
    expect(await client.answers()).toEqual(["T", "D 1", "C SELECT 1", "Z I"]);
    await client.until(() => client.isEnded);
    expect(client.messages.at(-1)).toBe("FATAL 08P01");
    expect(client.endReason).toMatchObject({ code: "INVALID_ARGUMENT" });
  }
  const client = await pooler.connect();
  client.send(query("select 1"), terminate, query("select 2"));
  await client.until(() => client.isEnded);
  expect(client.messages.filter((text) => text.startsWith("D"))).toEqual(["D 1"]);
  expect(client.endReason).toBeUndefined();
});

test("read-only serving refuses what would escape it, in a transaction too", async () => {
  await using pooler = await scene();
  const { gate } = pooler;
  const { current } = gate.state;
  await gate.setTarget({ ...current, status: "SERVING_RDONLY" }, undefined);
  const client = await pooler.connect();
  expect(await client.ask(query("begin read write"))).toEqual(["E 25006", "Z I"]);
  await client.ask(query("begin"));
  const escape = "set transaction read write";
  expect(await client.ask(extended(escape))).toEqual(["E 25006", "Z E"]);
  expect(await client.ask(query("select 1"))).toEqual(["E 25P02", "Z E"]);
  expect(await client.ask(query("rollback"))).toEqual(["C ROLLBACK", "Z I"]);
});

test("a lost backend is an error for a statement, and the end of a transaction", async () => {
  await using pooler = await scene({ capacity: 2 });
  const [one, two] = [await pooler.connect(), await pooler.connect()];
  await two.ask(query("begin"));
  one.send(query("select pg_sleep(100)"));
  await untilSleeping(stage.postgres, stage.database.name, 1);
  await sql(
    "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()",
  );
  const [first] = await one.answers();
  expect(["T", "E 57P01"]).toContain(first);
  // It is told at once, and not with its next statement.
  await two.until(() => two.isEnded);
  expect(two.messages.at(-1)).toBe("FATAL 57P01");
  expect(two.endReason).toMatchObject({ code: "CONNECTION_LOST" });
});

test("start-up settings are the client's own", async () => {
  await using pooler = await scene({ capacity: 2 });
  const plain = await pooler.connect({ application_name: "psql", client_encoding: "utf8" });
  expect(plain.session.describe()).toEqual({ type: "idle" });
  const special = await pooler.connect({ DateStyle: "German", "app.x": "it's \\ here" });
  expect(special.session.parameters.get("DateStyle")).toContain("German");
  expect(await special.ask(query("show app.x"))).toContain("D it's \\ here");
  expect(await plain.ask(query("show datestyle"))).toContain("D ISO, MDY");
  expect(special.session.describe()).toEqual({ type: "idle" });
  await expect(pooler.connect({ nonsense: "1" })).rejects.toMatchObject({
    code: "DATABASE_ERROR",
    diagnostic: { code: "42704" },
  });
});
