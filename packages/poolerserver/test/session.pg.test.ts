import type { EmbeddedPostgres, TemporaryDatabase } from "@multipooler/embedded-postgres";
import { expect, test } from "vitest";
import {
  bind,
  copyData,
  copyDone,
  copyFail,
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
import { SessionScene } from "./session-scene.ts";
import type { SessionSceneOptions } from "./session-scene.ts";
import { untilSleeping, useDatabases } from "./test-server.ts";

let postgres: EmbeddedPostgres;
let database: TemporaryDatabase;

useDatabases(
  (started, created) => {
    postgres = started;
    database = created;
  },
  { settings: { max_connections: "40" } },
);

async function sql(text: string): Promise<Record<string, unknown>[]> {
  return await postgres.sql(text, { database: database.name });
}

async function scene(options: Partial<SessionSceneOptions> = {}): Promise<SessionScene> {
  return await SessionScene.open({ postgres, database: database.name, ...options });
}

/** A machine that does much else takes its time. */
const PATIENCE = { timeout: 20_000 } as const;
const PINNED = { type: "pinned", reason: "SessionState" } as const;
const IDLE = { type: "idle" } as const;
const LEAVING = "select pg_advisory_unlock(7)";
const LOCK_FUNCTIONS = `
  create or replace function taking() returns void language sql as 'select pg_advisory_lock(5)';
  create or replace function leaving() returns bool language sql as 'select pg_advisory_unlock(5)'`;

/** The messages that a client got, as `TestClient` words them. */
function said(words: string): string[] {
  return words.split(", ");
}

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
  const user = postgres.user;
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

test("COPY goes in and out", async () => {
  await sql("create table t (x int)");
  await using pooler = await scene();
  const client = await pooler.connect();
  client.send(query("copy t from stdin"));
  await client.until(() => client.messages.includes("G"));
  expect(client.session.describe()).toMatchObject({ type: "running" });
  client.send(copyData("1\n2\n"), copyData("3\n"));
  expect(await client.ask(copyDone)).toEqual(["G", "C COPY 3", "Z I"]);
  expect(await client.ask(query("copy t to stdout"))).toEqual(
    said("H, d 1\n, d 2\n, d 3\n, c, C COPY 3, Z I"),
  );
  client.send(query("copy t from stdin"), copyData("x\n"), copyDone);
  expect(await client.answers()).toEqual(["G", "E 22P02", "Z I"]);
  client.send(query("copy t from stdin"), copyFail("no"));
  expect(await client.answers()).toEqual(["G", "E 57014", "Z I"]);
  client.send(query("copy nowhere from stdin"), copyData("x\n"), copyDone, query("select 1"));
  expect(await client.answers(2)).toEqual(["E 42P01", "Z I", "T", "D 1", "C SELECT 1", "Z I"]);
  expect(client.session.describe()).toEqual({ type: "idle" });
});

test("COPY FROM STDIN sent with Sync behind it", async () => {
  await sql("create table t (x int)");
  await using pooler = await scene();
  const client = await pooler.connect();
  const rows = Array.from({ length: 1000 }, (_, index) => copyData(`${index}\n`));
  for (let round = 0; round < 20; round += 1) {
    client.send(query("copy t from stdin"), ...rows, copyDone, sync);
    expect(await client.answers(2)).toEqual(["G", "C COPY 1000", "Z I", "Z I"]);
    expect(await client.ask(extended("select 1"))).toContain("D 1");
  }
  // As libpq does it in the extended protocol: the first Sync is passed over.
  const copy = [parse("copy t from stdin"), bind(), execute()];
  client.send(...copy, sync);
  await client.until(() => client.messages.at(-1) === "G");
  client.send(copyData("1\n"), copyDone, sync);
  expect(await client.answers()).toEqual(["1", "2", "G", "C COPY 1", "Z I"]);
  client.send(...copy, sync, copyData("1\n"), copyDone, sync);
  expect(await client.answers()).toEqual(["1", "2", "G", "C COPY 1", "Z I"]);
  client.send(...copy, flush, copyData("1\n"), copyDone, sync, query("select 2"));
  expect(await client.answers(2)).toEqual(said("1, 2, G, C COPY 1, Z I, T, D 2, C SELECT 1, Z I"));
});

test("a client that leaves in the middle of a COPY or a transaction leaves nothing", async () => {
  await sql("create table t (x int)");
  await using pooler = await scene({ capacity: 1 });
  for (const leave of ["simple", "extended", "flush", "transaction", "statement"] as const) {
    const client = await pooler.connect();
    switch (leave) {
      case "simple":
        client.send(query("copy t from stdin"), copyData("1\n"));
        break;
      case "extended":
        client.send(parse("copy t from stdin"), bind(), execute(), sync, copyData("1\n"));
        break;
      case "flush":
        client.send(parse("insert into t values (1)"), bind(), execute(), flush);
        break;
      case "transaction":
        client.send(query("begin; insert into t values (1)"));
        break;
      case "statement":
        client.send(query("begin; insert into t values (1); select pg_sleep(100)"));
    }
    if (leave === "statement") {
      await untilSleeping(postgres, database.name, 1);
    } else {
      await client.until(() => client.messages.some((text) => /^(?:[G2]|Z T)/u.test(text)));
    }
    await client.session.end("now");
    expect(client.isEnded).toBe(true);
    const next = await pooler.connect();
    expect(await next.ask(query("select count(*) from t"))).toContain("D 0");
    await next.session.end("now");
  }
  expect(pooler.sessions.size).toBe(0);
  expect(pooler.gate.counts).toEqual({ single: 0, reserved: 0 });
});

test("fifty clients on a few backends all get their own answers", async () => {
  await sql("create table t as select x, 'value ' || x as v from generate_series(0, 999) x");
  await sql("alter table t add primary key (x)");
  await using pooler = await scene({ capacity: 2 });
  const clients = await Promise.all(Array.from({ length: 50 }, async () => await pooler.connect()));
  await Promise.all(
    clients.map(async (client, index) => {
      for (let round = 0; round < 200; round += 1) {
        const key = (index * 37 + round * 11) % 1000;
        const [simple] = [round % 2 === 0];
        const answer = await client.ask(
          simple
            ? query(`select v from t where x = ${key}`)
            : extended("select v from t where x = $1", [String(key)]),
        );
        const expected = [`D value ${key}`, "C SELECT 1", "Z I"];
        if (answer.slice(-3).join() !== expected.join()) {
          expect(answer).toEqual(expected);
        }
      }
    }),
  );
  expect(pooler.backends.length).toBeLessThanOrEqual(2);
  expect(pooler.gate.counts).toEqual({ single: 0, reserved: 0 });
});

test("a client that does not read is ended, and nobody else waits for it", async () => {
  await sql("create table big as select repeat('x', 1000) as v from generate_series(1, 5000)");
  const limits = { inputBytes: 262_144, heldBytes: 1_000_000 };
  await using pooler = await scene({ capacity: 1, limits });
  const slow = await pooler.connect();
  const other = await pooler.connect();
  slow.isReading = false;
  slow.send(query("select v from big"));
  other.send(query("select 1"));
  expect(await other.answers()).toContain("D 1");
  await slow.until(() => slow.isEnded);
  expect(slow.messages.at(-1)).toBe("FATAL 53400");
  expect(slow.bytes).toBeLessThan(200_000);
  // The text is remembered: the next one has a backend to itself, and that waits.
  const patient = await pooler.connect();
  patient.isReading = false;
  patient.send(query("select v from big"));
  await patient.until(() => patient.bytes > 0);
  const held = patient.bytes;
  other.send(query("select 2"));
  expect(other.session.describe()).toMatchObject({ type: "queued" });
  expect(patient.bytes).toBe(held);
  patient.read();
  expect(await patient.answers()).toContain("C SELECT 5000");
  expect(await other.answers()).toContain("D 2");
});

test("a client that sends too much is stopped, and gets every answer", async () => {
  await using pooler = await scene({ limits: { inputBytes: 2000, heldBytes: 1_000_000 } });
  const client = await pooler.connect();
  const statements = Array.from({ length: 500 }, (_, index) => query(`select ${index}`));
  client.send(...statements);
  expect(client.wantsMore).toBe(false);
  const answers = await client.answers(500);
  expect(answers.filter((text) => text.startsWith("D"))).toEqual(
    Array.from({ length: 500 }, (_, index) => `D ${index}`),
  );
  expect(client.resumes).toBe(1);
});

test("a group that is longer than the bound runs although its end is not there", async () => {
  await using pooler = await scene({ limits: { inputBytes: 2000, heldBytes: 1_000_000 } });
  const client = await pooler.connect();
  for (let part = 0; part < 100; part += 1) {
    client.send(parse(`select ${part}`), bind(), execute());
  }
  const answer = await client.ask(sync);
  expect(answer.filter((text) => text.startsWith("D"))).toHaveLength(100);
  expect(answer.at(-1)).toBe("Z I");
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
  await untilSleeping(postgres, database.name, 1);
  const { current } = gate.state;
  const drained = gate.setTarget({ ...current, status: "NOT_SERVING" }, undefined);
  await expect(pooler.connect()).rejects.toMatchObject({ code: "NOT_SERVING" });
  expect(await quick.ask(query("commit"))).toEqual(["C COMMIT", "Z I"]);
  expect(await quick.ask(query("begin"))).toEqual(["E 57P03", "Z I"]);
  expect(await quick.ask(extended("begin"))).toEqual(["E 57P03", "Z I"]);
  await drained;
  expect(idle.messages.at(-1)).toBe("FATAL 40001");
  expect(running.messages.slice(-2)).toEqual(["Z E", "FATAL 40001"]);
  expect(gate.counts).toEqual({ single: 0, reserved: 0 });
  await gate.setTarget(current, undefined);
  expect(await quick.ask(query("select 1"))).toContain("D 1");
});

test("ten clients share three connections in transactions, and no answer goes missing", async () => {
  await using pooler = await scene({ capacity: 3 });
  const clients = await Promise.all(Array.from({ length: 10 }, async () => await pooler.connect()));
  await Promise.all(
    clients.map(async (client) => {
      for (let round = 0; round < 50; round += 1) {
        expect(await client.ask(query("begin read only"))).toEqual(said("C BEGIN, Z T"));
        expect(await client.ask(query("select 1"))).toEqual(said("T, D 1, C SELECT 1, Z T"));
        expect(await client.ask(query("commit"))).toEqual(said("C COMMIT, Z I"));
      }
    }),
  );
  expect(await sql("select 1 from pg_stat_activity where state like 'idle in%'")).toEqual([]);
  expect(pooler.gate.counts).toEqual({ single: 0, reserved: 0 });
});

test("a large COPY stops the client while the server is behind, and arrives whole", async () => {
  await sql("create table t (v text)");
  await using pooler = await scene({ limits: { inputBytes: 100_000, heldBytes: 1_000_000 } });
  const client = await pooler.connect();
  client.send(query("copy t from stdin"));
  const row = copyData(`${"x".repeat(9999)}\n`);
  let stops = 0;
  for (let count = 0; count < 5000; count += 1) {
    client.send(row);
    stops += client.wantsMore ? 0 : 1;
    await client.until(() => client.wantsMore);
  }
  expect(await client.ask(copyDone)).toEqual(said("G, C COPY 5000, Z I"));
  expect(stops).toBeGreaterThan(0);
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
  await untilSleeping(postgres, database.name, 1);
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
