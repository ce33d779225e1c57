import {
  bind,
  copyData,
  copyDone,
  execute,
  message,
  parse,
  query,
  sync,
} from "@multipooler/conversations";
import { beforeEach, expect, test } from "vitest";
import { useSessionStage } from "./session-stage.ts";

const stage = useSessionStage({ capacity: 1 });
const { scene } = stage;

beforeEach(async () => {
  await stage.postgres.sql("create table t (a int)", { database: stage.database.name });
});

test("a Query may stand in the place of a Sync", async () => {
  await using pooler = await scene();
  const client = await pooler.connect();
  const group = [parse("insert into t values (1)"), bind(), execute()];
  expect(await client.ask([...group, query("select 7")])).toEqual([
    "1",
    "2",
    "C INSERT 0 1",
    "T",
    "D 7",
    "C SELECT 1",
    "Z I",
  ]);
  expect(await client.ask(query("select a from t"))).toContain("D 1");
  await client.session.end("now");
});

test("an error before such a Query skips it, up to a Sync", async () => {
  await using pooler = await scene();
  const client = await pooler.connect();
  const messages = [parse("select 1 / 0"), bind(), execute(), query("select 7"), sync];
  expect(await client.ask(messages)).toEqual(["1", "E 22012", "Z I"]);
  client.send(parse("selec"), query("select 8"));
  await client.until(() => client.messages.includes("E 42601"));
  expect(await client.ask(sync)).toEqual(["E 42601", "Z I"]);
  expect(await client.ask(query("select 9"))).toContain("D 9");
  await client.session.end("now");
});

test("an error of such a Query is the last of its unit, and what comes behind is answered", async () => {
  await using pooler = await scene();
  const client = await pooler.connect();
  const messages = [parse("select 1"), bind(), execute(), query("select 1 / 0"), query("select 9")];
  expect(await client.ask(messages, 2)).toEqual([
    "1",
    "2",
    "D 1",
    "C SELECT 1",
    "E 22012",
    "Z I",
    "T",
    "D 9",
    "C SELECT 1",
    "Z I",
  ]);
  await client.session.end("now");
});

test("SQL that has prepared or dropped statements has done so, whatever fails behind it", async () => {
  await using pooler = await scene();
  const client = await pooler.connect();
  const failing = [parse("select 1 / 0"), bind(), execute(), sync];
  const run = (sql: string): Buffer[] => [parse(sql), bind(), execute()];
  expect(await client.ask([...run("prepare a as select 5"), ...failing])).toContain("C PREPARE");
  expect(await client.ask(query("execute a"))).toContain("D 5");
  expect(await client.ask([...run("deallocate a"), ...failing])).toContain("C DEALLOCATE");
  expect(await client.ask(query("execute a"))).toEqual(["E 26000", "Z I"]);
  await client.ask([parse("select 1", "b"), sync]);
  expect(await client.ask([...run("deallocate all"), ...failing])).toContain("E 22012");
  expect(await client.ask([parse("select 2", "b"), sync])).toEqual(["1", "Z I"]);
  await client.session.end("now");
});

test("SQL that was bound and not executed has prepared nothing", async () => {
  await using pooler = await scene();
  const client = await pooler.connect();
  await client.ask([parse("prepare a as select 5"), bind(), sync]);
  expect(await client.ask(query("execute a"))).toEqual(["E 26000", "Z I"]);
  await client.session.end("now");
});

test("a statement that SQL prepares is there for the messages behind it", async () => {
  await using pooler = await scene();
  const client = await pooler.connect();
  const prepare = [parse("prepare a as select 5"), bind(), execute()];
  expect(await client.ask([...prepare, bind([], { statement: "a" }), execute(), sync])).toEqual([
    "1",
    "2",
    "C PREPARE",
    "2",
    "D 5",
    "C SELECT 1",
    "Z I",
  ]);
  await client.session.end("now");
});

test("a query behind a COPY that has failed is answered to the one who asked", async () => {
  await using pooler = await scene();
  const client = await pooler.connect();
  const other = await pooler.connect();
  for (let round = 0; round < 20; round += 1) {
    const copied = client.ask(
      [
        query("copy t from stdin"),
        copyData("no number\n"),
        query("select 'mine'"),
        query("select 2"),
      ],
      3,
    );
    const asked = other.ask(query("select 'others'"));
    expect(await copied).toEqual([
      "G",
      "E 22P02",
      "Z I",
      "T",
      "D mine",
      "C SELECT 1",
      "Z I",
      "T",
      "D 2",
      "C SELECT 1",
      "Z I",
    ]);
    expect(await asked).toEqual(["T", "D others", "C SELECT 1", "Z I"]);
  }
  await client.session.end("now");
  await other.session.end("now");
});

test("a query in the middle of a COPY ends it", async () => {
  await using pooler = await scene();
  const client = await pooler.connect();
  const messages = [query("copy t from stdin"), copyData("1\n"), query("select 1"), copyDone];
  expect(await client.ask(messages)).toEqual(["G", "E 57014", "Z I"]);
  expect(await client.ask(query("select count(*) from t"))).toContain("D 0");
  await client.session.end("now");
});

test("a Sync behind wrong data of a COPY ends the group of the COPY", async () => {
  await using pooler = await scene();
  const client = await pooler.connect();
  const copy = [parse("copy t from stdin"), bind(), execute()];
  expect(await client.ask([...copy, copyData("no number\n"), sync])).toEqual([
    "1",
    "2",
    "G",
    "E 22P02",
    "Z I",
  ]);
  await client.session.end("now");
});

test("a Sync in the middle of a COPY is passed over", async () => {
  await using pooler = await scene();
  const client = await pooler.connect();
  client.send(query("copy t from stdin"));
  await client.until(() => client.messages.includes("G"));
  client.send(copyData("1\n"), sync);
  expect(await client.ask([copyData("2\n"), copyDone])).toEqual(["G", "C COPY 2", "Z I"]);
  await client.session.end("now");
});

test("a failed transaction refuses to parse what its backend has parsed before", async () => {
  await using pooler = await scene();
  const client = await pooler.connect();
  await client.ask([parse("select 1", "a"), sync]);
  await client.ask(query("begin; select 1 / 0"));
  expect(await client.ask([parse("select 1", "b"), sync])).toEqual(["E 25P02", "Z E"]);
  await client.session.end("now");
});

test("the unnamed statement outlives a group that failed before it was parsed again", async () => {
  await using pooler = await scene();
  const client = await pooler.connect();
  const failing = [bind([], { statement: "missing" }), parse("select 2"), sync];
  await client.ask([parse("select 1"), sync]);
  expect(await client.ask(failing)).toEqual(["E 26000", "Z I"]);
  expect(await client.ask([bind(), execute(), sync])).toContain("D 1");
  expect(await client.ask([parse("selec"), sync])).toEqual(["E 42601", "Z I"]);
  expect(await client.ask([bind(), execute(), sync])).toEqual(["E 26000", "Z I"]);
  await client.session.end("now");
});

test("EXECUTE in a group runs its statement although another one is parsed behind it", async () => {
  await using pooler = await scene();
  const client = await pooler.connect();
  const messages = [parse("select 1", "a"), parse("execute a"), bind(), execute()];
  expect(await client.ask([...messages, parse("select 2"), sync])).toEqual([
    "1",
    "1",
    "2",
    "D 1",
    "C SELECT 1",
    "1",
    "Z I",
  ]);
  expect(await client.ask([bind(), execute(), sync])).toContain("D 2");
  await client.session.end("now");
});

test("a Parse of what is known that says more is PostgreSQL's to refuse", async () => {
  await using pooler = await scene();
  const client = await pooler.connect();
  await client.ask([parse("select 1", "a"), sync]);
  await client.ask([parse("select 2"), sync]);
  for (const name of ["", "b"]) {
    const more = message("P", `${name}\0select 1\0\0\0more`);
    expect(await client.ask([more, sync])).toEqual(["E 08P01", "Z I"]);
    expect(await client.ask([query("begin"), more, sync], 2)).toEqual([
      "C BEGIN",
      "Z T",
      "E 08P01",
      "Z E",
    ]);
    await client.ask(query("rollback"));
  }
  expect(await client.ask([bind([], { statement: "b" }), sync])).toEqual(["E 26000", "Z I"]);
  await client.session.end("now");
});

test("what comes before a message that is cut short is answered", async () => {
  await using pooler = await scene();
  const client = await pooler.connect();
  const group = [parse("select 1"), bind(), execute()];
  for (const cut of [message("P", "cut"), message("B", "p"), message("C", "Sname")]) {
    expect(await client.ask([...group, cut, ...group, sync])).toEqual([
      "1",
      "2",
      "D 1",
      "C SELECT 1",
      "E 08P01",
      "Z I",
    ]);
  }
  await client.session.end("now");
});

test.each([
  { what: "a Close that says more", messages: [message("C", "Sname\0more"), sync] },
  { what: "a Close of nothing that there is", messages: [message("C", "Xname\0"), sync] },
  { what: "a Flush that says more", messages: [message("H", "more"), sync] },
  { what: "a Sync that says more", messages: [message("S", "more")] },
  { what: "a Describe of nothing that there is", messages: [message("D", "Xname\0"), sync] },
])("PostgreSQL's error comes for $what", async ({ messages }) => {
  await using pooler = await scene();
  const client = await pooler.connect();
  expect(await client.ask(messages)).toEqual(["E 08P01", "Z I"]);
  await client.session.end("now");
});

test("an error of a group reaches its client although no Sync has come", async () => {
  await using pooler = await scene({ capacity: 2 });
  const [client, other] = [await pooler.connect(), await pooler.connect()];
  await client.ask([parse("insert into t values ($1)", "i"), sync]);
  const insert = (value: string): Buffer[] => [bind([value], { statement: "i" }), execute()];
  for (const begin of ["begin", "select 1"]) {
    const status = begin === "begin" ? "E" : "I";
    await client.ask(query(begin));
    const { length } = client.messages;
    client.send(...insert("1"), ...insert("one"));
    await client.until(() => client.messages.length === length + 3);
    expect(client.messages.slice(length)).toEqual(["2", "C INSERT 0 1", "E 22P02"]);
    client.send(...insert("2"));
    expect(await client.ask(sync)).toEqual(["2", "C INSERT 0 1", "E 22P02", `Z ${status}`]);
    await client.ask(query("rollback"));
  }
  expect(await other.ask(query("select a from t"))).toContain("C SELECT 0");
  expect(pooler.gate.counts).toEqual({ single: 0, reserved: 0 });
});

test("a group runs although no Sync has come, and its end is that of its transaction", async () => {
  await using pooler = await scene({ capacity: 2 });
  const client = await pooler.connect();
  client.send(parse("select pg_advisory_xact_lock(7)"), bind(), execute());
  const locks = "select 1 from pg_locks where locktype = 'advisory' and granted";
  while ((await stage.sql(locks)).length === 0) {
    // It takes the lock at its own time.
  }
  expect(await client.ask(sync)).toEqual(["1", "2", "D ", "C SELECT 1", "Z I"]);
  expect(await stage.sql(locks)).toEqual([]);
  await client.session.end("now");
});
