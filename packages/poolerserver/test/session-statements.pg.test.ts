import { expect, test } from "vitest";
import {
  bind,
  close,
  describe,
  execute,
  extended,
  flush,
  parse,
  query,
  sync,
} from "@multipooler/conversations";
import { shuffle, stateOf, use } from "./statement-use.ts";
import { useSessionStage } from "./session-stage.ts";

const stage = useSessionStage();
const { sql, scene } = stage;

test("P4: twenty clients use one name for statements of their own, on three backends", async () => {
  await using pooler = await scene({ capacity: 3 });
  const clients = await Promise.all(Array.from({ length: 20 }, async () => await pooler.connect()));
  await Promise.all(
    clients.map(async (client, index) => {
      expect(await client.ask([parse(`select ${index}`, "s0"), sync])).toEqual(["1", "Z I"]);
      for (let round = 0; round < 100; round += 1) {
        expect(await client.ask(use("s0"))).toEqual(["2", `D ${index}`, "C SELECT 1", "Z I"]);
      }
      expect(await client.ask([close("S", "s0"), sync])).toEqual(["3", "Z I"]);
      expect(await client.ask(use("s0"))).toEqual(["E 26000", "Z I"]);
      expect(stateOf(client)).toBe("idle");
    }),
  );
  expect(pooler.backends.length).toBeLessThanOrEqual(3);
});

test("a statement is parsed once on a backend, whichever client uses it", async () => {
  await using pooler = await scene({ capacity: 1 });
  const clients = [await pooler.connect(), await pooler.connect(), await pooler.connect()];
  for (const [index, client] of clients.entries()) {
    await client.ask([
      parse("select $1::int * 2", `mine${index}`),
      describe("S", `mine${index}`),
      sync,
    ]);
    expect(await client.ask(use(`mine${index}`, [String(index)]))).toContain(`D ${index * 2}`);
  }
  const counting = await pooler.connect();
  const counted = await counting.ask(query("select count(*) from pg_prepared_statements"));
  expect(counted).toContain("D 1");
});

test("messages of a unit are answered in their order, whatever is left out or put in", async () => {
  await using pooler = await scene({ capacity: 1 });
  const [one, two] = [await pooler.connect(), await pooler.connect()];
  const unit = [
    Buffer.concat([parse("select 1", "a"), parse("select 2", "b"), bind([], { statement: "b" })]),
    Buffer.concat([execute(), parse("select 3", "c"), bind([], { statement: "c" }), execute()]),
    Buffer.concat([close("S", "b"), describe("S", "a"), close("P"), bind([], { statement: "a" })]),
    Buffer.concat([execute(), sync]),
  ];
  const expected = ["1", "1", "2", "D 2", "C SELECT 1", "1", "2", "D 3", "C SELECT 1", "3", "t"];
  const rest = ["T", "3", "2", "D 1", "C SELECT 1", "Z I"];
  expect(await one.ask(unit)).toEqual([...expected, ...rest]);
  // Now the backend has all of them.
  expect(await two.ask(unit)).toEqual([...expected, ...rest]);
  expect(await two.ask(use("b"))).toEqual(["E 26000", "Z I"]);
  expect(await two.ask(use("c"))).toContain("D 3");
});

test("a Parse that fails, or that an error skips, leaves no statement", async () => {
  await using pooler = await scene({ capacity: 1 });
  const client = await pooler.connect();
  expect(await client.ask([parse("select 1", "good"), parse("selec", "bad"), sync])).toEqual([
    "1",
    "E 42601",
    "Z I",
  ]);
  expect(await client.ask(use("good"))).toContain("D 1");
  expect(await client.ask(use("bad"))).toEqual(["E 26000", "Z I"]);
  expect(
    await client.ask([bind(["x"], { statement: "good" }), parse("select 2", "later"), sync]),
  ).toEqual(["E 08P01", "Z I"]);
  expect(await client.ask(use("later"))).toEqual(["E 26000", "Z I"]);
  expect(await client.ask([parse("select 3", "good"), sync])).toEqual(["E 42P05", "Z I"]);
  expect(await client.ask(use("good"))).toContain("D 1");
  expect(await client.ask([parse("select nothing", "none"), sync])).toEqual(["E 42703", "Z I"]);
  const other = await pooler.connect();
  expect(await other.ask([parse("select nothing", "none"), sync])).toEqual(["E 42703", "Z I"]);
});

test("a Parse that others have made needs no backend", async () => {
  await using pooler = await scene({ capacity: 1 });
  const [holder, client] = [await pooler.connect(), await pooler.connect()];
  await holder.ask([parse("select 1", "s"), sync]);
  await holder.ask(query("begin; select 1"));
  expect(await client.ask([parse("select 1", "x"), sync])).toEqual(["1", "Z I"]);
  expect(await client.ask([close("S", "x"), sync])).toEqual(["3", "Z I"]);
  expect(await client.ask(sync)).toEqual(["Z I"]);
  expect(pooler.gate.counts).toEqual({ single: 0, reserved: 1 });
});

test("P3: a table that changes under a statement fails nobody who prepares afterwards", async () => {
  await sql("create table changing as select 1 as a");
  await using pooler = await scene({ capacity: 2 });
  const clients = [await pooler.connect(), await pooler.connect(), await pooler.connect()];
  for (const [index, client] of clients.entries()) {
    await client.ask([parse("select * from changing", "s"), sync]);
    await shuffle(pooler);
    expect(await client.ask(use("s"))).toContain(index < 2 ? "D 1" : "D 1|null");
    if (index === 1) {
      // Past the pooler, which does not learn of it.
      await sql("alter table changing add column b int");
    }
  }
  const later = await pooler.connect();
  await later.ask([parse("select * from changing", "s"), sync]);
  for (let round = 0; round < 4; round += 1) {
    for (const client of [...clients, later]) {
      expect(await client.ask(use("s"))).toContain("D 1|null");
    }
    await shuffle(pooler);
  }
});

test.each(["of the client's own", "past the pooler"])(
  "a client that was told the columns of a statement gets PostgreSQL's error for others: a change %s",
  async (whose) => {
    const table = whose === "past the pooler" ? "passed" : "owned";
    await sql(`create table ${table} as select 1 as a`);
    // DDL keeps its backend, and so do others until the catalog was read again.
    await using pooler = await scene({ capacity: 7 });
    const clients = [await pooler.connect(), await pooler.connect(), await pooler.connect()];
    const text = `select * from ${table}`;
    const prepared = [parse(text, "s"), describe("S", "s"), sync];
    for (const client of clients) {
      expect(await client.ask(prepared)).toEqual(["1", "t", "T", "Z I"]);
      await shuffle(pooler);
      expect(await client.ask(use("s"))).toContain("D 1");
    }
    const change = `alter table ${table} add column b int`;
    await (whose === "past the pooler" ? sql(change) : clients[0]?.ask(query(change)));
    const undescribed = await pooler.connect();
    for (let round = 0; round < 3; round += 1) {
      for (const client of clients) {
        expect(await client.ask(use("s"))).toEqual(["E 0A000", "Z I"]);
        await shuffle(pooler);
      }
      await undescribed.ask([parse(text, "u"), sync]);
      expect(await undescribed.ask(use("u"))).toContain("D 1|null");
      await undescribed.ask([close("S", "u"), sync]);
    }
    for (const client of clients) {
      await client.ask([close("S", "s"), sync]);
      expect(await client.ask(prepared)).toEqual(["1", "t", "T", "Z I"]);
      await shuffle(pooler);
      expect(await client.ask(use("s"))).toContain("D 1|null");
    }
    await clients[0]?.ask(query("begin"));
    expect(await clients[0]?.ask(query(`alter table ${table} drop column b`))).toContain("Z T");
    expect(await clients[0]?.ask(use("s"))).toEqual(["E 0A000", "Z E"]);
    await clients[0]?.ask(query("rollback"));
    expect(await clients[0]?.ask(use("s"))).toContain("D 1|null");
  },
);

test("a client that was told the columns of a statement goes on after changes of other things", async () => {
  await sql("create table kept as select 1 as a");
  await using pooler = await scene({ capacity: 1 });
  const client = await pooler.connect();
  await client.ask([parse("select a from kept", "s"), describe("S", "s"), sync]);
  for (const change of ["create table further (a int)", "alter table kept add column b int"]) {
    await client.ask(query(change));
    expect(await client.ask(use("s"))).toContain("D 1");
  }
});

test("a client whose Describe was skipped was not told the columns of a statement", async () => {
  await sql("create table skipped as select 1 as a");
  await using pooler = await scene({ capacity: 1 });
  const client = await pooler.connect();
  await client.ask([parse("select * from skipped", "s"), sync]);
  expect(await client.ask([bind([], { statement: "none" }), describe("S", "s"), sync])).toEqual([
    "E 26000",
    "Z I",
  ]);
  await sql("alter table skipped add column b int");
  expect(await client.ask(use("s"))).toContain("D 1|null");
});

test("statements that were dropped behind the pooler's back are parsed again", async () => {
  await using pooler = await scene({ capacity: 1 });
  const client = await pooler.connect();
  await client.ask([parse("select 7", "s"), sync]);
  for (const text of [
    "deallocate all",
    "discard all",
    "select 1; deallocate all",
    "do $$ begin execute 'deallocate all'; end $$",
  ]) {
    expect(await client.ask(use("s"))).toContain("D 7");
    const other = await pooler.connect();
    await other.ask(query(text));
    await other.session.end("now");
  }
  expect(await client.ask(use("s"))).toContain("D 7");
});

test("an unnamed statement is found by the next unit, on any backend", async () => {
  await using pooler = await scene({ capacity: 2 });
  const client = await pooler.connect();
  for (let round = 0; round < 5; round += 1) {
    const text = `select $1::int + ${round % 2}`;
    expect(await client.ask([parse(text), describe("S"), sync])).toEqual(["1", "t", "T", "Z I"]);
    await shuffle(pooler);
    expect(await client.ask([bind(["5"]), execute(), sync])).toContain(`D ${5 + (round % 2)}`);
    await shuffle(pooler);
    expect(await client.ask([bind(["6"]), execute(), sync])).toContain(`D ${6 + (round % 2)}`);
    expect(stateOf(client)).toBe("idle");
  }
  await client.ask(query("select 1"));
  expect(await client.ask([bind(["5"]), execute(), sync])).toEqual(["E 26000", "Z I"]);
});

test("statements are parsed under the settings that hold when they run", async () => {
  await sql("create schema one; create schema two");
  await sql("create table one.t as select 1 as x; create table two.t as select 'two' as x");
  await using pooler = await scene({ capacity: 1 });
  const [one, two] = [
    await pooler.connect({ search_path: "one" }),
    await pooler.connect({ search_path: "two" }),
  ];
  for (const client of [one, two]) {
    await client.ask([parse("select x from t", "s"), sync]);
  }
  for (let round = 0; round < 3; round += 1) {
    expect(await one.ask(use("s"))).toContain("D 1");
    expect(await two.ask(use("s"))).toContain("D two");
  }
  await one.ask(query("set search_path = two"));
  await one.ask([parse("select x from t", "s2"), sync]);
  expect(await one.ask(use("s2"))).toContain("D two");
});

test("open groups use statements, and the ones that they make", async () => {
  await using pooler = await scene({ capacity: 2 });
  const client = await pooler.connect();
  await client.ask([parse("select $1::int", "old"), sync]);
  for (let round = 0; round < 3; round += 1) {
    client.send(parse(`select ${round}`, `new${round}`), describe("S", `new${round}`), flush);
    await client.until(() => client.messages.at(-1) === "T");
    const rest = [
      bind([], { statement: `new${round}` }),
      execute(),
      bind(["9"], { statement: "old" }),
    ];
    client.send(...rest, execute(), close("S", `new${round}`), sync);
    const answer = [`D ${round}`, "C SELECT 1", "2", "D 9", "C SELECT 1", "3", "Z I"];
    expect(await client.answers()).toEqual(["1", "t", "T", "2", ...answer]);
    await shuffle(pooler);
  }
  expect(stateOf(client)).toBe("idle");
});

test("portals stay within their transaction", async () => {
  await using pooler = await scene({ capacity: 2 });
  const client = await pooler.connect();
  await client.ask([parse("select x from generate_series(1, 3) x", "s"), sync]);
  await client.ask(query("begin"));
  const names = { portal: "p", statement: "s" };
  expect(await client.ask([bind([], names), execute("p", 1), sync])).toEqual([
    "2",
    "D 1",
    "s",
    "Z T",
  ]);
  expect(await client.ask([execute("p", 1), sync])).toEqual(["D 2", "s", "Z T"]);
  expect(await client.ask(query("commit"))).toEqual(["C COMMIT", "Z I"]);
  expect(stateOf(client)).toBe("idle");
  expect(await client.ask([execute("p", 1), sync])).toEqual(["E 34000", "Z I"]);
});

test("a label that is refused is told, whatever else goes ahead of the statement", async () => {
  await sql("create role passing");
  await using pooler = await scene({ capacity: 1 });
  const client = await pooler.connect();
  await client.ask(query("prepare q as select 1"));
  await client.ask(query("set role passing"));
  await sql("drop role passing");
  for (const unit of [query("prepare q as select 2"), query("select 1"), query("execute q")]) {
    expect(await client.ask(unit)).toEqual(["E 22023", "Z I"]);
  }
  expect(await client.ask(extended("select 1"))).toEqual(["E 22023", "Z I"]);
  const other = await pooler.connect();
  expect(await other.ask(query("select 1"))).toContain("D 1");
});

test("names of the pooler are out of reach", async () => {
  await using pooler = await scene({ capacity: 1 });
  const [one, two] = [await pooler.connect(), await pooler.connect()];
  await one.ask([parse("select 'secret'", "s"), sync]);
  await one.ask(use("s"));
  expect(await two.ask(use("ppstmt0"))).toEqual(["E 26000", "Z I"]);
  expect(await two.ask(query("execute ppstmt0"))).toEqual(["E 26000", "Z I"]);
  expect(await two.ask(query("deallocate ppstmt0"))).toEqual(["E 26000", "Z I"]);
  expect(await two.ask([close("S", "ppstmt0"), sync])).toEqual(["3", "Z I"]);
  expect(await one.ask(use("s"))).toContain("D secret");
});

test("a name that is taken behind a DISCARD ALL of its unit is free for the next client", async () => {
  await using pooler = await scene({ capacity: 1 });
  const [one, two] = [await pooler.connect(), await pooler.connect()];
  const twice = [parse("select 1", "c"), parse("select 2", "c")];
  expect(await one.ask([parse("discard all"), bind(), execute(), ...twice, sync])).toEqual([
    "1",
    "2",
    "C DISCARD ALL",
    "1",
    "E 42P05",
    "Z I",
  ]);
  expect(
    await two.ask(query("select count(*) from pg_prepared_statements where name = 'c'")),
  ).toContain("D 0");
});

test("a session may prepare so many statements, and so many bytes of them", async () => {
  await using pooler = await scene({ limits: { maxStatements: 3, maxStatementBytes: 100 } });
  const client = await pooler.connect();
  for (const name of ["a", "b", "c"]) {
    expect(await client.ask([parse("select 1", name), sync])).toEqual(["1", "Z I"]);
  }
  expect(await client.ask([parse("select 1", "d"), sync])).toEqual(["E 53400", "Z I"]);
  await client.ask([close("S", "a"), close("S", "b"), sync]);
  const long = `select '${"x".repeat(100)}'`;
  expect(await client.ask([parse(long, "d"), sync])).toEqual(["E 53400", "Z I"]);
  expect(await client.ask(query(`prepare d as ${long}`))).toEqual(["E 53400", "Z I"]);
  expect(await client.ask(use("c"))).toContain("D 1");
});
