import type { EmbeddedPostgres, TemporaryDatabase } from "@multipooler/embedded-postgres";
import { parse, query, sync } from "@multipooler/conversations";
import { expect, test } from "vitest";
import { SessionScene } from "./session-scene.ts";
import { useDatabases } from "./test-server.ts";

let postgres: EmbeddedPostgres;
let database: TemporaryDatabase;

useDatabases((started, created) => {
  postgres = started;
  database = created;
});

test.each([
  "create temp table kept as execute a",
  "explain execute a",
  "do $$ begin execute 'execute a'; end $$",
])("a statement that a text is only parsed for stays with its client: %s", async (text) => {
  await using pooler = await SessionScene.open({
    postgres,
    database: database.name,
    capacity: 1,
  });
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
