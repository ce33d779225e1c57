import { bind, close, execute, parse, query, sync } from "@multipooler/conversations";
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
