import { expect, test } from "vitest";
import { bind, execute, extended, parse, query, sync } from "@multipooler/conversations";
import { useSessionStage } from "./session-stage.ts";

const stage = useSessionStage();
const { scene } = stage;

const SETTINGS = { statement_timeout: "7s", DateStyle: "German", "app.x": "it's \\ here" };
const SHOWN = "select current_setting('statement_timeout'), current_setting('datestyle')";

test.for([
  ["discard all", query("discard all")],
  ["discard all in a group", extended("/* pool */ discard all")],
  ["reset all", query("reset all;")],
] as const)("start-up settings hold again after %s", async ([, reset]) => {
  await using pooler = await scene();
  const client = await pooler.connect(SETTINGS);
  await client.ask(query("set statement_timeout = 1; set datestyle = 'SQL'; set app.x = 'lost'"));
  await client.ask(reset);
  expect(await client.ask(query(SHOWN))).toContain("D 7s|German, DMY");
  expect(await client.ask(query("show app.x"))).toContain("D it's \\ here");
  expect(client.session.describe()).toEqual({ type: "idle" });
  // They are set once: what the client sets afterwards stays.
  await client.ask(query("set statement_timeout = '3s'"));
  expect(await client.ask(extended(SHOWN))).toContain("D 3s|German, DMY");
  const other = await pooler.connect();
  expect(await other.ask(query("show statement_timeout"))).toContain("D 0");
});

test("a RESET brings back the start-up setting that it names, and no other", async () => {
  await using pooler = await scene();
  const client = await pooler.connect({ ...SETTINGS, TimeZone: "Asia/Tokyo" });
  await client.ask(query("set datestyle = 'SQL'; set statement_timeout = 1; set timezone = 'UTC'"));
  await client.ask(query('reset "Statement_Timeout"'));
  expect(await client.ask(query(SHOWN))).toContain("D 7s|SQL, DMY");
  await client.ask(query("reset time zone"));
  expect(await client.ask(query("show timezone"))).toContain("D Asia/Tokyo");
  await client.ask(query("reset work_mem"));
  expect(await client.ask(query(SHOWN))).toContain("D 7s|SQL, DMY");
});

test("the client is told of a setting when its own changes, and not otherwise", async () => {
  await using pooler = await scene();
  const client = await pooler.connect({ DateStyle: "German" });
  const other = await pooler.connect({ DateStyle: "SQL" });
  for (const one of [client, other, client, other]) {
    expect(await one.ask(query("select 1"))).toEqual(["T", "D 1", "C SELECT 1", "Z I"]);
  }
  expect(await client.ask(query("discard all"))).toEqual(["C DISCARD ALL", "Z I"]);
  expect(await client.ask(query("select 1"))).toEqual(["T", "D 1", "C SELECT 1", "Z I"]);
  expect(await client.ask(query("set datestyle = 'ISO'"))).toEqual(["C SET", "S", "Z I"]);
  expect(await client.ask(query("set datestyle = 'ISO'"))).toEqual(["C SET", "Z I"]);
  // Its own default is not that of the server.
  expect(await client.ask(query("reset datestyle"))).toEqual(["C RESET", "S", "Z I"]);
  expect(await client.ask(query("show datestyle"))).toEqual([
    "T",
    "D German, DMY",
    "C SHOW",
    "Z I",
  ]);
});

test("an error, or a group behind a DISCARD ALL, changes nothing of that", async () => {
  await using pooler = await scene();
  const client = await pooler.connect(SETTINGS);
  await client.ask([parse("select 'kept'"), sync]);
  await client.ask(query("discard all"));
  expect(await client.ask([bind(), execute(), sync])).toEqual(["E 26000", "Z I"]);
  expect(await client.ask(query("select 1/0"))).toContain("E 22012");
  expect(await client.ask(extended(SHOWN))).toContain("D 7s|German, DMY");
  await client.ask(query("discard all"));
  await client.session.end("now");
  const next = await pooler.connect();
  expect(await next.ask(query(SHOWN))).toContain("D 0|ISO, MDY");
});

test("a client is told the settings of now, not those of the first login", async () => {
  await using pooler = await scene({ capacity: 1 });
  const before = await pooler.connect();
  expect(before.session.parameters.get("TimeZone")).not.toBe("Asia/Tokyo");
  const old = before.session.parameters.get("TimeZone") ?? "";
  try {
    await stage.postgres.sql("alter system set timezone = 'Asia/Tokyo'");
    await stage.postgres.sql("select pg_reload_conf()");
    // The server reads its configuration between two statements, and reports it with an answer.
    let seen: string | undefined;
    while (seen !== "D Asia/Tokyo") {
      seen = (await before.ask(query("show timezone"))).find((words) => words.startsWith("D "));
    }
    // The report counts as a setting of the client's until the connection is cleaned.
    await before.ask(query("select 1"));
    const client = await pooler.connect();
    expect(client.session.parameters.get("TimeZone")).toBe("Asia/Tokyo");
    // What was the default once is not any more.
    const other = await pooler.connect({ TimeZone: old });
    expect(await other.ask(query("show timezone"))).toContain(`D ${old}`);
    expect(other.session.parameters.get("TimeZone")).toBe(old);
    expect(other.session.describe()).toEqual({ type: "idle" });
  } finally {
    await stage.postgres.sql("alter system reset timezone");
    await stage.postgres.sql("select pg_reload_conf()");
  }
});

test("a client is not told what another one has set", async () => {
  await using pooler = await scene({ capacity: 1 });
  const own = await pooler.connect({ DateStyle: "German", client_encoding: "utf8" });
  await own.ask(query("set timezone = 'Asia/Tokyo'"));
  const client = await pooler.connect({ client_encoding: "utf8" });
  expect(client.session.parameters.get("DateStyle")).toBe("ISO, MDY");
  expect(client.session.parameters.get("TimeZone")).not.toBe("Asia/Tokyo");
  await own.session.end("now");
});

test.for([
  ["parsed", Buffer.concat([parse("reset all"), sync])],
  ["bound", Buffer.concat([parse("reset datestyle"), bind(), sync])],
] as const)("a start-up setting whose RESET is only %s leaks to nobody", async ([, reset]) => {
  await using pooler = await scene({ capacity: 1 });
  const client = await pooler.connect({ DateStyle: "German" });
  await client.ask(query("select 1"));
  await client.ask(reset);
  const other = await pooler.connect();
  expect(await other.ask(query("select current_setting('datestyle')"))).toContain("D ISO, MDY");
  expect(await client.ask(query("show datestyle"))).toContain("D German, DMY");
});
