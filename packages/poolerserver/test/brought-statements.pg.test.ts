import {
  bind,
  close,
  describe,
  execute,
  flush,
  parse,
  query,
  sync,
} from "@multipooler/conversations";
import { expect, test } from "vitest";
import { useSessionStage } from "./session-stage.ts";

const use = bind([], { statement: "a" });

const stage = useSessionStage();

test.each([
  "create temp table kept as execute a",
  "explain execute a",
  "do $$ begin execute 'execute a'; end $$",
])("a statement that a text is only parsed for stays with its client: %s", async (text) => {
  await using pooler = await stage.scene({ capacity: 1 });
  const client = await pooler.connect();
  await client.ask(Buffer.concat([parse("select 1", "a"), sync]));
  await client.ask(Buffer.concat([parse(text), sync]));
  await client.session.end("now");
  const next = await pooler.connect();
  expect(
    await next.ask(query("select count(*) from pg_prepared_statements where name = 'a'")),
  ).toContain("D 0");
  expect(await next.ask(query("prepare a as select 2"))).toEqual(["C PREPARE", "Z I"]);
});

test.each(["", "create temp table pins (id int)"])(
  "what a group brings is not there for what stands before it: %s",
  async (before) => {
    await using pooler = await stage.scene({ capacity: 1 });
    const client = await pooler.connect();
    await client.ask(query(before));
    const group = [use, parse("explain execute a", "a"), use, sync];
    expect((await client.ask(Buffer.concat(group))).at(0)).toBe("E 26000");
    expect((await client.ask([parse("select 1", "a"), sync])).at(0)).toBe("1");
  },
);

test.each([
  ["Close", Buffer.concat([close("S", "a"), sync])],
  ["DEALLOCATE", query("deallocate a")],
])("what was brought is gone behind a %s of it", async (_, drop) => {
  await using pooler = await stage.scene({ capacity: 2 });
  const client = await pooler.connect();
  await client.ask(Buffer.concat([parse("select 1", "a"), sync]));
  expect(await client.ask(query("execute a; select 2"))).toContain("D 1");
  expect(await client.ask(Buffer.concat([parse("select 3", "a"), sync]))).toEqual([
    "E 42P05",
    "Z I",
  ]);
  expect(await client.ask(query("prepare a as select 3"))).toEqual(["E 42P05", "Z I"]);
  expect(await client.ask(Buffer.concat([use, execute(), sync]))).toContain("D 1");
  await client.ask(drop);
  expect(await client.ask(Buffer.concat([use, sync]))).toEqual(["E 26000", "Z I"]);
  expect(await client.ask(query("execute a"))).toEqual(["E 26000", "Z I"]);
  expect(await client.ask(Buffer.concat([parse("select 3", "a"), sync]))).toEqual(["1", "Z I"]);
  expect(await client.ask(query("execute a; select 2"))).toContain("D 3");
});

test("what a unit brings of its own is not there where it has failed before", async () => {
  await using pooler = await stage.scene({ capacity: 1 });
  const client = await pooler.connect();
  const failing = [parse("select 1 / 0"), bind(), execute()];
  const text = "create temp table kept as execute a";
  const itself = [parse(text, "a"), use];
  const behind = [parse("select 1", "a"), parse("explain execute a"), bind()];
  for (const group of [itself, behind]) {
    expect(await client.ask([...failing, ...group, sync])).toContain("E 22012");
    expect(await client.ask([describe("S", "a"), sync])).toEqual(["E 26000", "Z I"]);
    expect(await client.ask([parse("select 1", "a"), sync])).toEqual(["1", "Z I"]);
    expect(await client.ask(query("deallocate a"))).toEqual(["C DEALLOCATE", "Z I"]);
  }
});

test.each([
  ["Close", [close("S", "a")]],
  ["DEALLOCATE", [parse("deallocate a"), bind(), execute()]],
])("what a group brings is gone behind a %s in it", async (_, drop) => {
  await using pooler = await stage.scene({ capacity: 1 });
  const client = await pooler.connect();
  for (const before of [[parse("select 1", "a"), sync], []]) {
    const define = before.length === 0 ? [parse("select 1", "a")] : [];
    await client.ask(before.length === 0 ? [sync] : before);
    const answer = await client.ask([...define, parse("explain execute a"), bind(), ...drop, sync]);
    expect(answer).not.toContainEqual(expect.stringMatching(/^E/u));
    expect(await client.ask([describe("S", "a"), sync])).toEqual(["E 26000", "Z I"]);
  }
});

test.each([
  ["a Parse", [parse("select $1::text || '!'", "a"), sync]],
  ["SQL", query("prepare a (text) as select $1 || '!'")],
])("a group names in SQL what %s has prepared, behind a Flush", async (_, prepare) => {
  for (const text of ["execute a ('of a')", "create temp table kept as execute a ('of a')"]) {
    await using pooler = await stage.scene({ capacity: 2 });
    const client = await pooler.connect();
    const other = await pooler.connect();
    await client.ask(prepare);
    // The group runs on a backend that does not have it.
    await other.ask(query("begin; select 1"));
    client.send(parse("select 1"), bind(), execute(), flush);
    const answer = await client.ask([parse(text), bind(), execute(), sync]);
    expect(answer).not.toContainEqual(expect.stringMatching(/^E/u));
    expect(answer).toContainEqual(expect.stringMatching(/^(D of a!|C SELECT 1)$/u));
    expect(answer.filter((said) => said === "1")).toHaveLength(2);
    const used = await client.ask([bind(["b"], { statement: "a" }), execute(), sync]);
    expect(used).toEqual(["2", "D b!", "C SELECT 1", "Z I"]);
  }
});

test("what SQL has prepared keeps the types that it was given, on every backend", async () => {
  await using pooler = await stage.scene({ capacity: 2 });
  const [client, other] = [await pooler.connect(), await pooler.connect()];
  await client.ask(query("prepare a (bigint) as select pg_typeof($1)"));
  await other.ask(query("begin; select 1"));
  const answer = await client.ask([bind(["1"], { statement: "a" }), execute(), sync]);
  expect(answer).toEqual(["2", "D bigint", "C SELECT 1", "Z I"]);
});

test.each([
  "set work_mem = '1MB'; execute a",
  "listen news; execute a",
  "execute a; reset work_mem",
])("what a text names beside settings and channels is there for it: %s", async (text) => {
  await using pooler = await stage.scene({ capacity: 2 });
  const [client, other] = [await pooler.connect(), await pooler.connect()];
  await client.ask([parse("select 'of a'", "a"), sync]);
  await other.ask(query("begin; select 1"));
  expect(await client.ask(query(text))).toContain("D of a");
});

test.each([
  "select 1; deallocate all",
  "deallocate all; reset all",
  "execute a; deallocate all; select 1 / 0",
])("statements are gone behind the DEALLOCATE ALL of a text: %s", async (text) => {
  await using pooler = await stage.scene({ capacity: 2 });
  const client = await pooler.connect();
  await client.ask([parse("select 1", "a"), sync]);
  await client.ask(query("select 1 / 0; deallocate all"));
  expect(await client.ask([describe("S", "a"), sync])).toEqual(["t", "T", "Z I"]);
  expect(await client.ask(query(text))).toContain("C DEALLOCATE ALL");
  expect(await client.ask([describe("S", "a"), sync])).toEqual(["E 26000", "Z I"]);
  expect(await client.ask([parse("select 2", "a"), sync])).toEqual(["1", "Z I"]);
  expect(await client.ask(query("execute a"))).toContain("D 2");
});

test("a text of several statements prepares and drops statements in their order", async () => {
  await using pooler = await stage.scene({ capacity: 2 });
  const client = await pooler.connect();
  await client.ask([parse("select 1", "a"), sync]);
  await client.ask(
    query("deallocate a; prepare a as select 2; prepare b as select 3; select 1 / 0"),
  );
  for (const name of ["a", "b"]) {
    expect(await client.ask([parse("select 4", name), sync])).toEqual(["E 42P05", "Z I"]);
    expect(await client.ask(query(`prepare ${name} as select 4`))).toEqual(["E 42P05", "Z I"]);
  }
  expect(await client.ask([bind([], { statement: "a" }), execute(), sync])).toContain("D 2");
  expect(await client.ask(query("execute b"))).toContain("D 3");
  expect(await client.ask(query("deallocate b; select 1"))).toContain("C DEALLOCATE");
  expect(await client.ask([parse("select 4", "b"), sync])).toEqual(["1", "Z I"]);
  expect(await client.ask(query("execute b"))).toContain("D 4");
  expect(await client.ask([close("S", "a"), describe("S", "a"), sync])).toContain("E 26000");
});
