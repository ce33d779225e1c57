import { expect, test } from "vitest";
import { extended, parse, query, sync } from "@multipooler/conversations";
import { untilSleeping } from "./test-server.ts";
import { useSessionStage } from "./session-stage.ts";
import { said } from "./session-client.ts";

const stage = useSessionStage({}, { settings: { max_connections: "40" } });
const { sql, scene } = stage;

/** A machine that does much else takes its time. */
const PATIENCE = { timeout: 20_000 } as const;
const PINNED = { type: "pinned", reason: "SessionState" } as const;
const IDLE = { type: "idle" } as const;
const LEAVING = "select pg_advisory_unlock(7)";
const LOCK_FUNCTIONS = `
  create or replace function taking() returns void language sql as 'select pg_advisory_lock(5)';
  create or replace function leaving() returns bool language sql as 'select pg_advisory_unlock(5)'`;

test("a transaction stays on its backend, and gives it back at its end", async () => {
  await sql("create table t (x int)");
  await using pooler = await scene({ capacity: 2 });
  const client = await pooler.connect();
  const other = await pooler.connect();
  expect(await client.ask(query("begin"))).toEqual(["C BEGIN", "Z T"]);
  expect(client.session.describe()).toMatchObject({ type: "pinned", reason: "Transaction" });
  expect(pooler.gate.counts).toEqual({ single: 0, reserved: 1 });
  expect(await client.ask(query("insert into t values (1)"))).toEqual(["C INSERT 0 1", "Z T"]);
  expect(await other.ask(query("select count(*) from t"))).toContain("D 0");
  expect(await client.ask(query("select 1/0"))).toEqual(["E 22012", "Z E"]);
  expect(await client.ask(query("select 1"))).toEqual(["E 25P02", "Z E"]);
  expect(await client.ask(query("rollback"))).toEqual(["C ROLLBACK", "Z I"]);
  expect(client.session.describe()).toEqual({ type: "idle" });
  expect(pooler.gate.counts).toEqual({ single: 0, reserved: 0 });
  const whole = [query("begin"), query("insert into t values (2)"), query("commit")];
  expect(await client.ask(whole, 3)).toEqual(
    said("C BEGIN, Z T, C INSERT 0 1, Z T, C COMMIT, Z I"),
  );
  expect(await other.ask(query("select x from t"))).toContain("D 2");
});

test("lock and unlock in two statements happen on one backend, and the lock ends with the client", async () => {
  await using pooler = await scene();
  const client = await pooler.connect();
  const other = await pooler.connect();
  await client.ask(query("select pg_advisory_lock(7)"));
  await expect.poll(() => client.session.describe(), PATIENCE).toMatchObject(PINNED);
  expect(await other.ask(query("select pg_try_advisory_lock(7)"))).toContain("D f");
  expect(await client.ask(query("select pg_advisory_unlock(7)"))).toContain("D t");
  await client.ask(query("select pg_advisory_lock(8)"));
  await client.session.end("now");
  expect(await other.ask(query("select pg_try_advisory_lock(8)"))).toContain("D t");
});

test.each([
  ["the last unlock", ["select pg_advisory_lock(7)", "select pg_advisory_unlock(7)"]],
  [
    "as many unlocks as locks",
    [
      "select pg_advisory_lock(7), pg_advisory_lock_shared(7)",
      "select pg_advisory_unlock(7)",
      "select pg_advisory_unlock_shared(7)",
    ],
  ],
  ["unlocking all", ["select pg_advisory_lock(1, 2)", "select pg_advisory_unlock_all()"]],
  ["a function that unlocks", ["select taking()", "select leaving()"]],
  ["the end of the transaction", ["begin", "select pg_advisory_lock(7)", LEAVING, "commit"]],
  ["an unlock behind an error", ["select pg_advisory_lock(7)", `${LEAVING}; select 1 / 0`]],
] as const)(
  "a session that holds no advisory lock any more keeps nothing: %s",
  async (_, texts) => {
    await sql(LOCK_FUNCTIONS);
    await using pooler = await scene({ capacity: 1 });
    const client = await pooler.connect();
    const other = await pooler.connect();
    for (const text of texts.slice(0, -1)) {
      await client.ask(query(text));
      await expect
        .poll(() => client.session.describe(), PATIENCE)
        .toMatchObject({ type: "pinned" });
    }
    await client.ask(query(texts.at(-1) ?? ""));
    expect(await other.ask(query("select 1"))).toContain("D 1");
    await expect.poll(() => client.session.describe(), PATIENCE).toEqual(IDLE);
    expect(pooler.backends).toHaveLength(1);
  },
);

test("a lock that was not had keeps nothing, nor does one of a transaction", async () => {
  await using pooler = await scene();
  const [holder, client] = [await pooler.connect(), await pooler.connect()];
  await holder.ask(query("select pg_advisory_lock(7)"));
  expect(await client.ask(query("select pg_try_advisory_lock(7)"))).toContain("D f");
  expect(await client.ask(query("select pg_advisory_xact_lock(8)"))).toContain("Z I");
  await expect.poll(() => client.session.describe(), PATIENCE).toEqual(IDLE);
  await expect.poll(() => holder.session.describe(), PATIENCE).toMatchObject(PINNED);
});

test("a session keeps its backend for what else it has left, and for locks that a path hides", async () => {
  await sql(`create schema hiding;
    create function hiding.never(text, text) returns bool language sql immutable as 'select false';
    create operator hiding.= (leftarg = text, rightarg = text, function = hiding.never)`);
  await using pooler = await scene();
  const client = await pooler.connect();
  await client.ask(query("create temp table mine (a int); select pg_advisory_lock(7)"));
  await client.ask(query("select pg_advisory_unlock(7)"));
  expect(await client.ask(query("table mine"))).toContain("C SELECT 0");
  await expect.poll(() => client.session.describe(), PATIENCE).toMatchObject(PINNED);
  const hider = await pooler.connect();
  await hider.ask(query("set search_path = hiding, pg_catalog"));
  await hider.ask(query("select pg_catalog.pg_advisory_lock(9)"));
  await hider.ask(query("select pg_catalog.pg_try_advisory_lock(9)"));
  await expect.poll(() => hider.session.describe(), PATIENCE).toMatchObject(PINNED);
});

test.for([
  ["set search_path = x", "show search_path", '"$user", public'],
  ["select set_config('search_path', '', false)", "show search_path", '"$user", public'],
  ["set role limited", "select current_user", "superuser"],
  ["set session authorization limited", "select session_user", "superuser"],
  ["prepare s1 as select 1", "select count(*) from pg_prepared_statements where name = 's1'", "0"],
  ["declare c cursor with hold for select 1", "select count(*) from pg_cursors", "0"],
  ["listen ch", "select count(*) from pg_listening_channels()", "0"],
  ["create temp table t (a int)", "select to_regclass('t') is null", "t"],
  ["do $$ begin create temp table t (a int); end $$", "select to_regclass('t') is null", "t"],
  ["select pg_advisory_lock(1)", "select count(*) from pg_locks where locktype = 'advisory'", "0"],
  [
    "begin; set app.x = '1'; commit; select 1/0",
    "select coalesce(current_setting('app.x', true), '') = ''",
    "t",
  ],
  ["select c from v", "show search_path", '"$user", public'],
] as const)("what `%s` leaves is not seen by another client", async ([left, seen, expected]) => {
  await sql(`do $$ begin create role limited; exception when duplicate_object then null; end $$`);
  await sql(
    `create schema tenant_a;
     create function ctx() returns text language sql volatile
       as $$ select set_config('search_path', 'tenant_a', false) $$;
     create view v as select ctx() as c`,
  );
  await using pooler = await scene({ capacity: 1 });
  const user = stage.postgres.user;
  const client = await pooler.connect();
  await client.ask(query(left));
  const other = await pooler.connect();
  const asked = other.ask(query(seen));
  // Where the backend is pinned, another client gets it when this one ends.
  await client.session.end("now");
  expect(await asked).toContain(`D ${expected === "superuser" ? user : expected}`);
});

test("a session keeps its own state", async () => {
  await sql("create sequence sq");
  await using pooler = await scene({ capacity: 2 });
  const client = await pooler.connect();
  const other = await pooler.connect();
  await client.ask(query("set app.x = 'mine'"));
  await client.ask(query("create temp table t as select 5 as a"));
  await client.ask(query("select nextval('sq')"));
  await other.ask(query("select 1"));
  expect(await client.ask(query("show app.x"))).toContain("D mine");
  expect(await client.ask(query("select a from t"))).toContain("D 5");
  expect(await client.ask(query("select currval('sq')"))).toContain("D 1");
  expect(await other.ask(query("select currval('sq')"))).toContain("E 55000");
  await client.ask([parse("discard all"), sync]);
  await client.ask(query("discard all; select 1/0"));
  expect(client.session.describe()).toMatchObject({ type: "pinned" });
  expect(await client.ask(query("show app.x"))).toContain("D mine");
  expect(await client.ask(query("discard all"))).toEqual(["C DISCARD ALL", "Z I"]);
  expect(client.session.describe()).toEqual({ type: "idle" });
});

test("end at the boundary waits for the transaction", async () => {
  await using pooler = await scene();
  const [idle, busy] = [await pooler.connect(), await pooler.connect()];
  await busy.ask(query("begin"));
  await idle.session.end("boundary");
  expect(idle.messages).toEqual(["FATAL 57P01"]);
  const ended = busy.session.end("boundary");
  expect(await busy.ask(query("select 1"))).toContain("D 1");
  expect(await busy.ask(query("commit"))).toEqual(["C COMMIT", "Z I"]);
  await ended;
  expect(busy.messages.at(-1)).toBe("FATAL 57P01");
});

test("a drain lets a transaction end, refuses new ones, and cuts what is left", async () => {
  await using pooler = await scene({ capacity: 3, drainGraceMs: 500 });
  const { gate } = pooler;
  const [quick, idle, running] = [
    await pooler.connect(),
    await pooler.connect(),
    await pooler.connect(),
  ];
  await quick.ask(query("begin"));
  await idle.ask(query("begin"));
  await running.ask(query("begin"));
  running.send(query("select pg_sleep(100)"));
  await untilSleeping(stage.postgres, stage.database.name, 1);
  const { current } = gate.state;
  const drained = gate.setTarget({ ...current, status: "NOT_SERVING" }, undefined);
  await expect(pooler.connect()).rejects.toMatchObject({ code: "NOT_SERVING" });
  expect(await quick.ask(query("commit"))).toEqual(["C COMMIT", "Z I"]);
  expect(await quick.ask(query("begin"))).toEqual(["E MTF01", "Z I"]);
  expect(await quick.ask(extended("begin"))).toEqual(["E MTF01", "Z I"]);
  await drained;
  expect(idle.messages.at(-1)).toBe("FATAL 40001");
  expect(running.messages.slice(-2)).toEqual(["Z E", "FATAL 40001"]);
  expect(gate.counts).toEqual({ single: 0, reserved: 0 });
  await gate.setTarget(current, undefined);
  expect(await quick.ask(query("select 1"))).toContain("D 1");
});
