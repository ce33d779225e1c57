import { ReservationReason } from "@multipooler/query-service";
import type { TestPostgres, TemporaryDatabase } from "@multipooler/test-postgres";
import { beforeEach, describe, expect, test } from "vitest";
import type { MultiPooler } from "../src/multi-pooler.ts";
import type { MultiPoolerOptions } from "../src/multi-pooler-options.ts";
import { copying, CopyRecorder, CopyScript } from "./copying-client.ts";
import { databaseOf, query, REPLICA, servingPooler, STOPPED } from "./pooler-fixture.ts";
import { ReservingClient } from "./reserving-client.ts";
import { useDatabases } from "./test-server.ts";

const { Transaction, TempTable, Copy } = ReservationReason;

let postgres: TestPostgres;
let database: TemporaryDatabase;

useDatabases((started, created) => {
  postgres = started;
  database = created;
});

beforeEach(async () => {
  await sql("create table t (a int, b text)");
});

async function sql(text: string, values: readonly unknown[] = []): Promise<unknown[]> {
  return await postgres.sql(text, { database: database.name, values });
}

function serving(options: Parameters<typeof servingPooler>[1] = {}): Promise<MultiPooler> {
  return servingPooler(databaseOf(postgres, { database: database.name }), options);
}

/** Resolves when a session of the database does something that `condition` tells. */
async function until(condition: string): Promise<void> {
  const text = `select 1 from pg_stat_activity where datname = $1 and ${condition}`;
  await expect
    .poll(() => postgres.sql(text, { values: [database.name] }), { timeout: 10_000 })
    .not.toEqual([]);
}

describe("a COPY from the caller", () => {
  test("takes data that are cut anywhere, and reserves its backend meanwhile", async () => {
    await using pooler = await serving();
    const source = CopyScript.of("1\ton", "e\n2\t", "", "two\n");
    const { recorder, reservation, error } = await copying(pooler, "copy t from stdin", { source });
    expect(error).toBeUndefined();
    expect(reservation).toBeUndefined();
    expect(recorder.types).toEqual(["started", "complete"]);
    expect(await recorder.started).toMatchObject({ reasons: Copy });
    expect(recorder.formats).toEqual({ format: 0, columnFormats: [0, 0] });
    expect(recorder.tags).toEqual(["COPY 2"]);
    expect(await sql("select * from t order by a")).toEqual([
      { a: 1, b: "one" },
      { a: 2, b: "two" },
    ]);
  });

  test("takes the end of data of the text format, and drops what is behind it", async () => {
    await using pooler = await serving();
    const source = CopyScript.of("1\tone\n\\.\n", "2\tbehind\n");
    const { recorder } = await copying(pooler, "copy t from stdin;", { source });
    expect(recorder.tags).toEqual(["COPY 1"]);
  });

  test("takes CSV whose options hold a backslash, and no data at all", async () => {
    await using pooler = await serving();
    const text = String.raw`copy t from stdin with (format csv, escape '\', delimiter E'\x2c')`;
    const csv = await copying(pooler, text, { source: CopyScript.of('1,"a\\"b"\n') });
    expect(csv.error).toBeUndefined();
    expect(csv.recorder.tags).toEqual(["COPY 1"]);
    const none = await copying(pooler, "copy t from stdin", { source: CopyScript.of() });
    expect(none.recorder.tags).toEqual(["COPY 0"]);
  });

  test("in the binary format has what one to the caller gave", async () => {
    await using pooler = await serving();
    await sql("insert into t select n, repeat('x', n) from generate_series(1, 1000) n");
    const out = await copying(pooler, "copy t to stdout (format binary)");
    expect(out.recorder.formats).toEqual({ format: 1, columnFormats: [1, 1] });
    await sql("create table other (like t)");
    const source = CopyScript.of(out.recorder.data.subarray(0, 7), out.recorder.data.subarray(7));
    const back = await copying(pooler, "copy other from stdin (format binary)", { source });
    expect(back.recorder.tags).toEqual(["COPY 1000"]);
    expect(await sql("select 1 from t except all select 1 from other")).toEqual([]);
  });

  test("fails as the server says while the caller still sends, who is asked for no more", async () => {
    await using pooler = await serving();
    const source = new CopyScript().data("1\tone\n", "none\n");
    const { recorder, error, reservation } = await copying(pooler, "copy t from stdin", { source });
    expect(error).toMatchObject({ code: "DATABASE_ERROR", diagnostic: { code: "22P02" } });
    expect(error?.diagnostic?.where).toContain("line 2");
    expect(reservation).toBeUndefined();
    expect(recorder.types).toEqual(["started"]);
    const { asked } = source;
    source.data("3\tthree\n").done();
    expect((await query(pooler, "select count(*) from t")).values).toEqual(["0"]);
    expect(source.asked).toBe(asked);
  });

  test("yields the notices of triggers, and fails behind them", async () => {
    await using pooler = await serving();
    await sql(`create function say() returns trigger language plpgsql as
      $$ begin raise notice '%', new.a; return new; end $$`);
    await sql("create trigger says before insert on t for each row execute function say()");
    const well = await copying(pooler, "copy t from stdin", {
      source: CopyScript.of("1\t\n2\t\n"),
    });
    expect(well.recorder.types).toEqual(["started", "notice", "notice", "complete"]);
    const badly = await copying(pooler, "copy t from stdin", { source: CopyScript.of("1\t\nx") });
    expect(badly.recorder.types).toEqual(["started", "notice"]);
    expect(badly.error?.diagnostic?.code).toBe("22P02");
  });

  test("fails with the reason that the caller gives, and keeps nothing", async () => {
    await using pooler = await serving();
    const source = new CopyScript().data("1\tone\n").fail(`no\0more${"€".repeat(5000)}`);
    const { error } = await copying(pooler, "copy t from stdin", { source });
    expect(error).toMatchObject({ code: "DATABASE_ERROR", diagnostic: { code: "57014" } });
    expect(error?.diagnostic?.message).toMatch(/^COPY from stdin failed: nomore€+$/);
    expect((await query(pooler, "select count(*) from t")).values).toEqual(["0"]);
  });

  test("fails when its source does", async () => {
    await using pooler = await serving();
    const source = new CopyScript().data("1\tone\n");
    const recorder = new CopyRecorder();
    const running = copying(pooler, "copy t from stdin", { source, recorder });
    await recorder.started;
    const cause = new Error("gone");
    await expect.poll(() => source.asked).toBe(2);
    source.breakOff(cause);
    expect((await running).error).toMatchObject({ code: "CANCELLED", cause });
    expect((await query(pooler, "select count(*) from t")).values).toEqual(["0"]);
  });

  test("is not fed while the server is behind", async () => {
    await using pooler = await serving();
    await sql(`create function wait() returns trigger language plpgsql as
      $$ begin perform pg_advisory_xact_lock(7); return new; end $$`);
    await sql("create trigger waits before insert on t for each row execute function wait()");
    await using blocker = new Blocker(await serving());
    await blocker.lock("select pg_advisory_xact_lock(7)");
    const row = Buffer.from(`1\t${"x".repeat(100_000)}\n`);
    const source = new CopyScript();
    source.data(...Array.from({ length: 400 }, () => row)).done();
    const running = copying(pooler, "copy t from stdin", { source });
    await until("wait_event = 'advisory'");
    const { asked } = source;
    expect(asked).toBeLessThan(150);
    await blocker.unlock();
    expect((await running).recorder.tags).toEqual(["COPY 400"]);
  });
});

/** Holds a lock until it is told to let go. */
class Blocker implements AsyncDisposable {
  readonly #pooler: MultiPooler;
  readonly #client: ReservingClient;

  constructor(pooler: MultiPooler) {
    this.#pooler = pooler;
    this.#client = new ReservingClient(pooler);
  }

  async lock(text: string): Promise<void> {
    await this.#client.reserve(text, Transaction);
  }

  async unlock(): Promise<void> {
    await this.#client.rollback();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#pooler[Symbol.asyncDispose]();
  }
}

describe("a COPY to the caller", () => {
  test("yields one message a row", async () => {
    await using pooler = await serving();
    await sql("insert into t values (1, 'one'), (2, null)");
    const { recorder, reservation } = await copying(pooler, "copy t to stdout");
    expect(await recorder.started).toMatchObject({ reasons: Copy });
    expect(recorder.frames.map(String)).toEqual(["1\tone\n", "2\t\\N\n"]);
    expect(recorder.tags).toEqual(["COPY 2"]);
    expect(reservation).toBeUndefined();
  });

  test("yields rows of any length", async () => {
    await using pooler = await serving();
    const lengths = [0, 10, 5_000_000, 2_097_152, 3];
    const values = lengths.map((length) => `(repeat('y', ${length}))`).join();
    const { recorder } = await copying(pooler, `copy (values ${values}) to stdout`);
    expect(recorder.frames.map(({ length }) => length - 1)).toEqual(lengths);
    expect(recorder.events.some((event) => event.type === "data" && event.inProgress)).toBe(true);
  });

  test("has notices between the rows, and fails behind those that came", async () => {
    await using pooler = await serving();
    await sql(`create function half(n int) returns int language plpgsql as
      $$ begin raise notice 'n is %', n; return 6 / (3 - n); end $$`);
    const text = "copy (select half(n) from generate_series(1, 4) n) to stdout";
    const { recorder, error } = await copying(pooler, text);
    expect(recorder.types.filter((type) => type === "notice")).toHaveLength(3);
    expect(recorder.data.toString()).toBe("3\n6\n");
    expect(error).toMatchObject({ code: "DATABASE_ERROR", diagnostic: { code: "22012" } });
  });

  test("has the server wait for a sink that is behind", async () => {
    await using pooler = await serving();
    const gate = Promise.withResolvers<void>();
    let bytes = 0;
    class SlowRecorder extends CopyRecorder {
      override write(event: Parameters<CopyRecorder["write"]>[0]): Promise<void> | undefined {
        bytes += event.bytes.length;
        return event.type === "data" ? gate.promise : undefined;
      }
    }
    const recorder = new SlowRecorder();
    const text = "copy (select repeat('x', 1000) from generate_series(1, 100000)) to stdout";
    const running = copying(pooler, text, { recorder });
    await until("wait_event = 'ClientWrite'");
    expect(bytes).toBeLessThan(1_000_000);
    gate.resolve();
    expect((await running).error).toBeUndefined();
    expect(bytes).toBeGreaterThan(100_000_000);
  });
});

describe("in a reservation", () => {
  test("a COPY opens the transaction that is asked for, and stays in it", async () => {
    await using pooler = await serving();
    const client = new ReservingClient(pooler);
    const place = { type: "reserve", reasons: Transaction, begin: "begin;" } as const;
    const source = CopyScript.of("1\tone\n");
    const first = await copying(pooler, "copy t from stdin", { source, place });
    expect(await first.recorder.started).toMatchObject({ reasons: Transaction | Copy });
    expect(first.recorder.tags).toEqual(["COPY 1"]);
    expect(first.reservation?.reasons).toBe(Transaction);
    client.held = first.reservation;
    expect((await client.run("select count(*) from t")).values).toEqual(["1"]);
    const second = await copying(pooler, "copy t to stdout", {
      place: { type: "reserved", id: client.id },
    });
    expect(await second.recorder.started).toMatchObject({ id: client.id, reasons: 9 });
    expect(second.reservation?.reasons).toBe(Transaction);
    expect((await client.commit()).reservation).toBeUndefined();
    expect(await sql("select a from t")).toEqual([{ a: 1 }]);
  });

  test("one that fails leaves the failed transaction", async () => {
    await using pooler = await serving();
    const client = new ReservingClient(pooler);
    const place = { type: "reserve", reasons: Transaction } as const;
    const { error, reservation } = await copying(pooler, "copy t from stdin", {
      source: CopyScript.of("x\n"),
      place,
    });
    expect(error?.diagnostic?.code).toBe("22P02");
    expect(reservation?.reasons).toBe(Transaction);
    client.held = reservation;
    expect((await client.run("select 1")).error?.diagnostic?.code).toBe("25P02");
    expect(await client.rollback()).toMatchObject({ tags: ["ROLLBACK"], reservation: undefined });
  });

  test("one that is refused, or is given up, leaves what is reserved otherwise", async () => {
    await using pooler = await serving();
    const client = new ReservingClient(pooler);
    await client.reserve("create temp table mine (a int)", TempTable);
    const place = { type: "reserved", id: client.id } as const;
    const refused = await copying(pooler, "copy nothing from stdin", {
      source: new CopyScript(),
      place,
    });
    expect(refused).toMatchObject({
      error: { diagnostic: { code: "42P01" } },
      reservation: { id: client.id, reasons: TempTable },
    });
    const failed = await copying(pooler, "copy mine from stdin", {
      source: new CopyScript().data("1\n").fail("no"),
      place,
    });
    expect(failed.reservation).toMatchObject({ reasons: TempTable });
    const well = await copying(pooler, "copy mine from stdin", {
      source: CopyScript.of("1\n"),
      place,
    });
    expect(well.reservation).toMatchObject({ reasons: TempTable });
    expect((await client.run("select a from mine")).values).toEqual(["1"]);
    expect((await client.release()).reservation).toBeUndefined();
  });

  test("an opening statement that fails has no COPY run", async () => {
    await using pooler = await serving();
    const source = CopyScript.of("1\t\n");
    const place = {
      type: "reserve",
      reasons: Transaction,
      begin: "begin isolation level x",
    } as const;
    const { error, reservation } = await copying(pooler, "copy t from stdin", { source, place });
    expect(error?.diagnostic?.code).toBe("42601");
    expect(reservation).toBeUndefined();
    expect(source.asked).toBe(0);
  });

  test("the release of a reservation ends the COPY that runs in it", async () => {
    await using pooler = await serving();
    const client = new ReservingClient(pooler);
    const recorder = new CopyRecorder();
    const running = copying(pooler, "copy t from stdin", {
      source: new CopyScript().data("1\t\n"),
      place: { type: "reserve", reasons: Transaction },
      recorder,
    });
    client.held = await recorder.started;
    expect((await client.release()).error).toBeUndefined();
    expect((await running).error?.code).toBe("CANCELLED");
    expect(await sql("select * from t")).toEqual([]);
  });
});

describe("a COPY is interrupted", () => {
  test.each([
    ["for a caller that gives up", new DOMException("enough", "AbortError"), "CANCELLED"],
    ["at its deadline", new DOMException("late", "TimeoutError"), "DEADLINE_EXCEEDED"],
  ])("while the server waits for data: %s", async (_name, reason, code) => {
    await using pooler = await serving();
    const abort = new AbortController();
    const recorder = new CopyRecorder();
    const running = copying(pooler, "copy t from stdin", {
      source: new CopyScript().data("1\tone\n"),
      recorder,
      signal: abort.signal,
    });
    await recorder.started;
    const before = performance.now();
    abort.abort(reason);
    expect((await running).error?.code).toBe(code);
    // Not the two seconds after which a session is cut.
    expect(performance.now() - before).toBeLessThan(1500);
    expect((await query(pooler, "select count(*) from t")).values).toEqual(["0"]);
  });

  test("while it waits for a lock, before it has begun", async () => {
    await using pooler = await serving();
    await using blocker = new Blocker(await serving());
    await blocker.lock("lock t");
    const abort = new AbortController();
    const source = new CopyScript();
    const running = copying(pooler, "copy t from stdin", { source, signal: abort.signal });
    await until("wait_event_type = 'Lock'");
    abort.abort();
    expect((await running).error?.code).toBe("CANCELLED");
    expect(source.asked).toBe(0);
    await blocker.unlock();
  });

  test("while the server is behind with data that were sent", async () => {
    await using pooler = await serving();
    await sql(`create function wait() returns trigger language plpgsql as
      $$ begin perform pg_advisory_xact_lock(7); return new; end $$`);
    await sql("create trigger waits before insert on t for each row execute function wait()");
    await using blocker = new Blocker(await serving());
    await blocker.lock("select pg_advisory_xact_lock(7)");
    const abort = new AbortController();
    const running = copying(pooler, "copy t from stdin", {
      source: new CopyScript().data(Buffer.alloc(30_000_000, "1\t\n")),
      signal: abort.signal,
    });
    await until("wait_event = 'advisory'");
    abort.abort();
    expect((await running).error?.code).toBe("CANCELLED");
    expect((await query(pooler, "select count(*) from t")).values).toEqual(["0"]);
    await blocker.unlock();
  });

  test("behind its last data, in a trigger that takes long", async () => {
    await using pooler = await serving();
    await sql(`create function sleep() returns trigger language plpgsql as
      $$ begin perform pg_sleep(60); return null; end $$`);
    await sql("create trigger sleeps after insert on t execute function sleep()");
    const abort = new AbortController();
    const running = copying(pooler, "copy t from stdin", {
      source: CopyScript.of("1\t\n"),
      signal: abort.signal,
    });
    await until("wait_event = 'PgSleep'");
    abort.abort();
    expect((await running).error?.code).toBe("CANCELLED");
    expect(await sql("select * from t")).toEqual([]);
  });

  test("in the middle of an endless one to the caller, whose sink is behind", async () => {
    await using pooler = await serving();
    const abort = new AbortController();
    class StuckRecorder extends CopyRecorder {
      override write(event: Parameters<CopyRecorder["write"]>[0]): Promise<void> | undefined {
        return event.type === "data" ? new Promise(() => undefined) : undefined;
      }
    }
    const running = copying(pooler, "copy (select generate_series(1, 1000000000000)) to stdout", {
      recorder: new StuckRecorder(),
      signal: abort.signal,
    });
    await until("wait_event = 'ClientWrite'");
    abort.abort();
    expect((await running).error?.code).toBe("CANCELLED");
  });

  test("by a sink that fails", async () => {
    await using pooler = await serving();
    class BrokenRecorder extends CopyRecorder {
      override write(event: Parameters<CopyRecorder["write"]>[0]): undefined {
        throw new Error(event.type);
      }
    }
    const broken = { recorder: new BrokenRecorder() };
    const source = new CopyScript();
    const into = await copying(pooler, "copy t from stdin", { ...broken, source });
    expect(into.error).toMatchObject({ code: "CANCELLED", cause: { message: "started" } });
    expect(source.asked).toBe(0);
    const out = await copying(pooler, "copy t to stdout", broken);
    expect(out.error?.code).toBe("CANCELLED");
  });

  test("by a drain, and its caller is told so", async () => {
    await using pooler = await serving({ drainGraceMs: 50 });
    const recorder = new CopyRecorder();
    const running = copying(pooler, "copy t from stdin", { source: new CopyScript(), recorder });
    await recorder.started;
    await pooler.setServingType(STOPPED);
    expect((await running).error?.diagnostic?.code).toBe("40001");
    const refused = await copying(pooler, "copy t to stdout");
    expect(refused.error?.code).toBe("NOT_SERVING");
  });

  test("by the end of its server process", async () => {
    await using pooler = await serving();
    const source = new CopyScript().data("1\tone\n");
    const recorder = new CopyRecorder();
    const running = copying(pooler, "copy t from stdin", { source, recorder });
    const reservation = await recorder.started;
    await sql("select pg_terminate_backend($1)", [reservation?.backendProcessId]);
    const { error } = await running;
    expect(error?.code).toBe("CONNECTION_LOST");
    expect(error?.diagnostic?.code).toBe("57P01");
    source.data("2\ttwo\n").done();
    expect((await query(pooler, "select count(*) from t")).values).toEqual(["0"]);
  });
});

describe("is refused before anything is run", () => {
  test.each([
    ["in", "select 1"],
    ["in", "copy t to stdout"],
    ["in", "insert into t values (1); copy t from stdin"],
    ["in", "copy t from stdin; copy t from stdin"],
    ["in", "copy t from '/tmp/none'"],
    ["in", ""],
    ["out", "copy t from stdin"],
    ["out", "copy t to stdout; delete from t"],
  ])("%s: %s", async (way, text) => {
    await using pooler = await serving();
    const source = new CopyScript();
    const wish = way === "in" ? { source } : {};
    const { error } = await copying(pooler, text, wish);
    expect(error).toMatchObject({ code: "INVALID_ARGUMENT", diagnostic: { code: "42601" } });
    expect(await sql("select * from t")).toEqual([]);
    expect(source.asked).toBe(0);
  });

  test("a COPY in a statement's call", async () => {
    await using pooler = await serving();
    await expect(query(pooler, "copy t to stdout")).rejects.toMatchObject({
      code: "UNIMPLEMENTED",
      diagnostic: { code: "0A000" },
    });
  });
});

test("a standby takes no data, and gives some", async () => {
  await using pooler = await serving({ target: REPLICA });
  const refused = await copying(pooler, "copy t from stdin", { source: CopyScript.of("1\t\n") });
  expect(refused.error).toMatchObject({ code: "READ_ONLY", diagnostic: { code: "25006" } });
  const program = await copying(pooler, "copy (select 1) to program 'cat > stdout'");
  expect(program.error?.code).toBe("INVALID_ARGUMENT");
  expect((await copying(pooler, "copy (select 1) to stdout")).recorder.tags).toEqual(["COPY 1"]);
});

test("what a COPY does to its session is the caller's alone", async () => {
  await using pooler = await serving({ capacity: 1 } satisfies Partial<MultiPoolerOptions>);
  const text = "copy (select set_config('work_mem', '1234kB', false)) to stdout";
  const { recorder } = await copying(pooler, text);
  expect(recorder.data.toString()).toBe("1234kB\n");
  expect((await query(pooler, "show work_mem")).values).toEqual(["4MB"]);
});
