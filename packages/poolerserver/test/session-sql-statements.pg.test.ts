import { expect, test } from "vitest";
import { close, extended, parse, query, sync } from "@multipooler/conversations";
import { shuffle, stateOf, use } from "./statement-use.ts";
import { useSessionStage } from "./session-stage.ts";

const stage = useSessionStage();
const { sql, scene } = stage;

test("SQL prepares, runs and drops statements on any backend", async () => {
  await sql("create table t as select x, x * 10 as y from generate_series(1, 9) x");
  await using pooler = await scene({ capacity: 3 });
  const [client, other] = [await pooler.connect(), await pooler.connect()];
  expect(await client.ask(query("prepare q (int) as select y from t where x = $1;"))).toEqual([
    "C PREPARE",
    "Z I",
  ]);
  await other.ask(query('prepare "Q" as select 0; prepare q as select 0'));
  expect(await client.ask(query("/* ü */ PREPARE \"Ü\" AS SELECT 'ü'"))).toEqual([
    "C PREPARE",
    "Z I",
  ]);
  for (let round = 1; round < 5; round += 1) {
    expect(await client.ask(query(`execute q(${round})`))).toEqual([
      "T",
      `D ${round * 10}`,
      "C SELECT 1",
      "Z I",
    ]);
    expect(await client.ask(extended(`execute Q (${round} + 1)`))).toContain(
      `D ${round * 10 + 10}`,
    );
    expect(await client.ask(query('execute "Ü"'))).toContain("D ü");
    await shuffle(pooler);
  }
  expect(await client.ask(query("prepare q as select 1"))).toEqual(["E 42P05", "Z I"]);
  expect(stateOf(client)).toBe("idle");
  await client.ask(query("begin"));
  expect(await client.ask(query("execute q(1)"))).toContain("D 10");
  expect(await client.ask(query("deallocate q"))).toEqual(["C DEALLOCATE", "Z T"]);
  expect(await client.ask(query("commit"))).toEqual(["C COMMIT", "Z I"]);
  expect(await client.ask(query("execute q(1)"))).toEqual(["E 26000", "Z I"]);
  expect(await client.ask(query("deallocate q"))).toEqual(["E 26000", "Z I"]);
  expect(await client.ask(query('execute "Ü"'))).toContain("D ü");
  expect(await client.ask(query("deallocate all"))).toEqual(["C DEALLOCATE ALL", "Z I"]);
  expect(await client.ask(query('execute "Ü"'))).toEqual(["E 26000", "Z I"]);
  expect(stateOf(client)).toBe("idle");
});

test("settings that SQL executes follow the session", async () => {
  await using pooler = await scene({ capacity: 2 });
  const client = await pooler.connect();
  await client.ask(query("prepare c as select set_config('work_mem', $1, false)"));
  expect(await client.ask(query("execute c('70kB')"))).toContain("D 70kB");
  await shuffle(pooler);
  expect(stateOf(client)).toBe("idle");
  expect(await client.ask(query("show work_mem"))).toContain("D 70kB");
  await client.ask([parse("set work_mem = '71kB'", "d"), sync]);
  await client.ask(extended("execute d"));
  await shuffle(pooler);
  expect(stateOf(client)).toBe("idle");
  expect(await client.ask(query("show work_mem"))).toContain("D 71kB");
  // What the values do is not known.
  await client.ask(query("execute c(set_config('app.x', '72', false) || 'kB')"));
  expect(await client.ask(query("show work_mem"))).toContain("D 72kB");
  expect(stateOf(client)).toBe("pinned");
});

test("SQL that names a statement in another way brings it to a backend of the session's own", async () => {
  await using pooler = await scene({ capacity: 2 });
  const client = await pooler.connect();
  await client.ask(query('prepare "A b" (int) as select $1 + 1'));
  await client.ask([parse("select 8", "p"), sync]);
  await shuffle(pooler);
  expect(await client.ask(query('execute "A b"(1); execute "A b"(2)'))).toContain("D 3");
  expect(client.session.describe()).toMatchObject({ type: "pinned", reason: "SessionState" });
  expect(await client.ask(extended("explain (costs off) execute p"))).toContain("D Result");
  expect(await client.ask(query("execute p; select 1"))).toContain("D 8");
  expect(await client.ask(use("p"))).toContain("D 8");
  await client.ask(query("discard all"));
  expect(await client.ask(query('execute "A b"(1)'))).toEqual(["E 26000", "Z I"]);
  expect(stateOf(client)).toBe("idle");
});

test("what was run while the catalog was not known pins no longer than that", async () => {
  await using pooler = await scene({ capacity: 2 });
  const client = await pooler.connect();
  pooler.classifier.noteDdl();
  await client.ask(query("select upper('x')"));
  expect(client.session.describe()).toMatchObject({ type: "pinned" });
  await pooler.classifier.refresh();
  await client.ask(query("select upper('x')"));
  expect(stateOf(client)).toBe("idle");
});

test("a client that is silent since the catalog was not known gives its backend to others", async () => {
  await using pooler = await scene({ capacity: 1 });
  const [client, other] = [await pooler.connect(), await pooler.connect()];
  pooler.classifier.noteDdl();
  await client.ask(query("select upper('x')"));
  const waiting = other.ask(query("select 1"));
  pooler.sessions.review();
  expect(stateOf(client)).toBe("pinned");
  await pooler.classifier.refresh();
  pooler.sessions.review();
  expect(await waiting).toContain("D 1");
  expect(stateOf(client)).toBe("idle");
  expect(pooler.gate.counts).toEqual({ single: 0, reserved: 0 });
});

test("a client that has run many texts in doubt is let go by a reading, whatever changes since", async () => {
  await using pooler = await scene({ capacity: 1 });
  const client = await pooler.connect();
  pooler.classifier.noteDdl();
  for (let n = 0; n < 40; n += 1) {
    await client.ask(query(`select upper('x') as c${n}`));
  }
  expect(stateOf(client)).toBe("pinned");
  await pooler.classifier.refresh();
  pooler.classifier.noteDdl();
  pooler.sessions.review();
  expect(stateOf(client)).toBe("idle");
  expect(pooler.sessions.areInDoubt).toBe(false);
});

test("a client whose text was judged before the catalog was read, and ended after that, is let go", async () => {
  await sql("create table awaited (a int)");
  await using pooler = await scene({ capacity: 2 });
  const [client, other] = [await pooler.connect(), await pooler.connect()];
  await other.ask(query("begin; lock table awaited"));
  pooler.classifier.noteDdl();
  client.send(query("select count(*) from awaited"));
  await pooler.classifier.refresh();
  pooler.sessions.review();
  await other.ask(query("commit"));
  expect(await client.answers()).toContain("D 0");
  expect(stateOf(client)).toBe("idle");
});

test("P2: a PREPARE that fails prepares nothing, and nobody else sees its error", async () => {
  await using pooler = await scene({ capacity: 1 });
  const [client, other] = [await pooler.connect(), await pooler.connect()];
  client.send(query("prepare a as select bogus"), query("execute a"));
  other.send(query("select 1"));
  expect(await client.answers(2)).toEqual(["E 42703", "Z I", "E 26000", "Z I"]);
  expect(await other.answers()).toEqual(["T", "D 1", "C SELECT 1", "Z I"]);
});

test("an EXECUTE of what cannot be prepared any more fails as the server says", async () => {
  await sql("create table gone as select 1 as x");
  await using pooler = await scene({ capacity: 2 });
  const client = await pooler.connect();
  await client.ask(query("prepare a as select x from gone"));
  await sql("drop table gone");
  await client.ask(query("do $$ begin execute 'deallocate all'; end $$; discard all"));
  await client.session.end("now");
  const next = await pooler.connect();
  await sql("create table gone as select 1 as x");
  await next.ask(query("prepare a as select x from gone"));
  await next.ask(query("drop table gone"));
  expect(await next.ask(query("execute a"))).toEqual(["E 42P01", "Z I"]);
  expect(await next.ask(query("select 1"))).toContain("D 1");
  await next.ask(query("begin"));
  expect(await next.ask(query("execute a"))).toEqual(["E 42P01", "Z E"]);
  expect(await next.ask(query("rollback"))).toEqual(["C ROLLBACK", "Z I"]);
});

test("protocol and SQL share their names", async () => {
  await using pooler = await scene({ capacity: 2 });
  const client = await pooler.connect();
  await client.ask([parse("select 4", "p"), sync]);
  await shuffle(pooler);
  expect(await client.ask(query("execute p"))).toContain("D 4");
  await client.ask(query("prepare s as select 5"));
  await shuffle(pooler);
  expect(await client.ask(use("s"))).toContain("D 5");
  expect(await client.ask([close("S", "s"), sync])).toEqual(["3", "Z I"]);
  expect(await client.ask(query("execute s"))).toEqual(["E 26000", "Z I"]);
  expect(await client.ask(query("deallocate p"))).toEqual(["C DEALLOCATE", "Z I"]);
  expect(await client.ask(use("p"))).toEqual(["E 26000", "Z I"]);
});
