import {
  bind,
  close,
  describe,
  execute,
  extended,
  parse,
  query,
  sync,
} from "@multipooler/conversations";
import { expect, test } from "vitest";
import type { SessionScene } from "./session-scene.ts";
import { useSessionStage } from "./session-stage.ts";

/** One backend for all: what is left in it, the next client finds. */
const stage = useSessionStage({ capacity: 1 });
const { scene } = stage;

const STARTUP = { DateStyle: "German", work_mem: "65kB", "app.x": "it's ü \\ here" };
const SHOWN =
  "select current_setting('datestyle'), current_setting('work_mem'), current_setting('app.x', true)";
const AT_START = "D German, DMY|65kB|it's ü \\ here";
const OF_SERVER = "D ISO, MDY|4MB|";
const CHANGE = "set datestyle = 'SQL'; set work_mem = '70kB'; set app.x = 'y'";

/** Parse, Bind and Execute. */
function run(sql: string): Buffer[] {
  return [parse(sql), bind(), execute()];
}

async function expectNothingLeaked(pooler: SessionScene): Promise<void> {
  const other = await pooler.connect();
  expect(await other.ask(query(SHOWN))).toContain(OF_SERVER);
  await other.session.end("now");
}

test.for([
  ["RESET ALL", "reset all"],
  ["RESET", "reset datestyle; reset work_mem /* ; */ ; reset app.x -- of the client"],
  ["SET TO DEFAULT", "set datestyle to default; set work_mem = default; set app.x to default"],
] as const)("%s shows the start-up settings in its own transaction", async ([, reset]) => {
  await using pooler = await scene();
  const client = await pooler.connect(STARTUP);
  await client.ask(query(CHANGE));
  await client.ask(query("begin"));
  await client.ask(query(reset));
  expect(await client.ask(query(SHOWN))).toContain(AT_START);
  await client.ask(query("rollback"));
  expect(await client.ask(query(SHOWN))).toContain("D SQL, DMY|70kB|y");
  await client.ask(query(`begin; ${reset}\n; commit`));
  await expectNothingLeaked(pooler);
  expect(await client.ask(query(SHOWN))).toContain(AT_START);
  await client.session.end("now");
});

test("a RESET that SQL executes shows the start-up settings", async () => {
  await using pooler = await scene();
  const client = await pooler.connect(STARTUP);
  await client.ask([parse("reset all", "b"), parse("reset work_mem", "c"), sync]);
  for (const unit of [query(" execute b (41) "), Buffer.concat([...run("execute b"), sync])]) {
    await client.ask(query(CHANGE));
    expect(await client.ask(unit)).toContain("C RESET");
    await expectNothingLeaked(pooler);
    expect(client.session.describe()).toEqual({ type: "idle" });
    expect(await client.ask(query(SHOWN))).toContain(AT_START);
  }
  await client.ask(query(CHANGE));
  await client.ask(query("execute c"));
  expect(await client.ask(query(SHOWN))).toContain("D SQL, DMY|65kB|y");
  await client.session.end("now");
});

test("a text that resets settings is answered as PostgreSQL answers it", async () => {
  await using pooler = await scene();
  const client = await pooler.connect(STARTUP);
  const text = `select 1; reset work_mem; ${SHOWN}; reset all; show work_mem; select 1 / 0`;
  expect(await client.ask(query(text))).toEqual([
    "T",
    "D 1",
    "C SELECT 1",
    "C RESET",
    "T",
    AT_START,
    "C SELECT 1",
    "C RESET",
    "T",
    "D 65kB",
    "C SHOW",
    "E 22012",
    "Z I",
  ]);
  await expectNothingLeaked(pooler);
  await client.session.end("now");
});

test.for([
  ["while the catalog is in doubt", "select 1::int", "idle"],
  ["beside a function that sets something", "select sly()", "pinned"],
] as const)("a text shows the start-up settings behind its RESET %s", async (row) => {
  const [, beside, isAfterwards] = row;
  await stage.sql(
    `create function sly() returns int language plpgsql as
      $$ begin perform set_config('work_mem', '66kB', false); return 1; end $$`,
  );
  await using pooler = await scene();
  const client = await pooler.connect({ TimeZone: "Europe/Berlin", ...STARTUP });
  pooler.classifier.noteDdl();
  expect(await client.ask(query(`reset all; ${beside}; show datestyle; show timezone`))).toEqual([
    "C RESET",
    "T",
    "D 1",
    "C SELECT 1",
    "T",
    "D German, DMY",
    "C SHOW",
    "T",
    "D Europe/Berlin",
    "C SHOW",
    "Z I",
  ]);
  expect(await client.ask(sync)).toEqual(["Z I"]);
  expect(client.session.describe()).toMatchObject({ type: "pinned" });
  await pooler.classifier.refresh();
  pooler.sessions.review();
  expect(client.session.describe()).toMatchObject({ type: isAfterwards });
  await client.session.end("now");
  await expectNothingLeaked(pooler);
});

test("a group that resets settings is answered as PostgreSQL answers it", async () => {
  await using pooler = await scene();
  const client = await pooler.connect(STARTUP);
  await client.ask(query(CHANGE));
  const group = [
    parse("reset all", "r"),
    bind([], { statement: "r", portal: "p" }),
    describe("P", "p"),
  ];
  const messages = [...group, execute("p"), close("P", "p"), ...run(SHOWN), sync];
  expect(await client.ask(messages)).toEqual([
    "1",
    "2",
    "n",
    "C RESET",
    "3",
    "1",
    "2",
    AT_START,
    "C SELECT 1",
    "S",
    "Z I",
  ]);
  await client.ask(query(CHANGE));
  expect(await client.ask([bind([], { statement: "r" }), execute(), execute(), sync])).toEqual([
    "2",
    "C RESET",
    "E 55000",
    "Z I",
  ]);
  expect(await client.ask(query(SHOWN))).toContain("D SQL, DMY|70kB|y");
  await expectNothingLeaked(pooler);
  await client.session.end("now");
});

test("what comes behind a DISCARD ALL in its group finds the start-up settings", async () => {
  await using pooler = await scene();
  const client = await pooler.connect(STARTUP);
  await client.ask(query(CHANGE));
  const messages = [...run("discard all"), ...run(SHOWN), ...run("set work_mem = '71kB'"), sync];
  expect(await client.ask(messages)).toContain(AT_START);
  expect(await client.ask(query("show work_mem"))).toContain("D 71kB");
  await expectNothingLeaked(pooler);
  expect(await client.ask(query("show work_mem"))).toContain("D 71kB");
  await client.session.end("now");
});

test.for([
  ["a query that fails", run("select 1 / 0")],
  [
    "a setting that is committed, and a query that fails",
    [...run("begin"), ...run("set work_mem = '71kB'"), ...run("commit"), ...run("select 1 / 0")],
  ],
] as const)("a DISCARD ALL before %s leaks nothing", async ([, behind]) => {
  await using pooler = await scene();
  const client = await pooler.connect(STARTUP);
  await client.ask(query(CHANGE));
  expect(await client.ask([...run("discard all"), ...behind, sync])).toContain("E 22012");
  expect(await client.ask(query("show datestyle"))).toContain("D German, DMY");
  await client.session.end("now");
  await expectNothingLeaked(pooler);
});

test("a client is told nothing of a DISCARD ALL whose group fails, if nothing has changed", async () => {
  await using pooler = await scene();
  const client = await pooler.connect({ DateStyle: "German" });
  expect(await client.ask([...run("discard all"), execute(), sync])).toEqual([
    "1",
    "2",
    "C DISCARD ALL",
    "E 34000",
    "Z I",
  ]);
  expect(await client.ask(query("show datestyle"))).toEqual([
    "T",
    "D German, DMY",
    "C SHOW",
    "Z I",
  ]);
  await client.session.end("now");
});

test("a client is told of a start-up setting that holds again once, and of nothing else", async () => {
  await using pooler = await scene();
  const client = await pooler.connect({ DateStyle: "German" });
  const changed = ["C SET", "S", "Z I"];
  for (const [reset, tag] of [
    [query("reset datestyle"), "C RESET"],
    [query("reset all"), "C RESET"],
    [query("discard all"), "C DISCARD ALL"],
    [Buffer.concat([...run("discard all"), sync]), "C DISCARD ALL"],
    [extended("reset datestyle"), "C RESET"],
  ] as const) {
    expect(await client.ask(query("set datestyle = 'SQL'"))).toEqual(changed);
    const answer = await client.ask(reset);
    expect(answer.filter((words) => !["1", "2"].includes(words))).toEqual([tag, "S", "Z I"]);
    // It holds already.
    const again = await client.ask(reset);
    expect(again.filter((words) => !["1", "2"].includes(words))).toEqual([tag, "Z I"]);
  }
  await client.session.end("now");
});

test.for([
  ["standard_conforming_strings", "set standard_conforming_strings = off"],
  ["is_superuser", "set role pg_monitor"],
] as const)(
  "clients with the start-up settings of another are told nothing that the other one has set: %s",
  async ([name, change]) => {
    await using pooler = await stage.scene({ capacity: 2 });
    for (let n = 0; n < 10; n += 1) {
      const clients = [await pooler.connect(STARTUP), await pooler.connect({ work_mem: "65kB" })];
      const told = clients.map(({ session }) => session.parameters.get(name));
      expect(told).toEqual(["on", "on"]);
      // PostgreSQL passes over values that the statement does not take.
      await Promise.all(
        clients.map(async (client) => {
          await client.ask([parse(change, "c"), bind([], { statement: "c" }), sync]);
          await client.ask(query("execute c (41)"));
          await client.session.end("now");
        }),
      );
    }
  },
);
