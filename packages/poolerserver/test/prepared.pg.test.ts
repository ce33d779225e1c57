import type { TestPostgres, TemporaryDatabase } from "@multipooler/test-postgres";
import { describe, expect, test } from "vitest";
import type { MultiPooler } from "../src/multi-pooler.ts";
import { databaseOf, query, REPLICA, servingPooler } from "./pooler-fixture.ts";
import { described, executed, prepared, run, valuesOf } from "./prepared.ts";
import { failureOf } from "./settled.ts";
import { useDatabases } from "./test-server.ts";

const INT4 = 23;
const TEXT = 25;
const NAMES = "select name from pg_prepared_statements order by name";

let postgres: TestPostgres;
let database: TemporaryDatabase;

useDatabases(
  (started, created) => {
    postgres = started;
    database = created;
  },
  { settings: { max_connections: "40" } },
);

/** A pooler with one session unless `capacity` says otherwise, so that callers get the same one. */
function serving(
  options: { capacity?: number; target?: typeof REPLICA } = {},
): Promise<MultiPooler> {
  return servingPooler(databaseOf(postgres, { database: database.name }), {
    capacity: 1,
    ...options,
  });
}

describe("a statement is prepared once", () => {
  test("for all callers that have its text and types", async () => {
    await using pooler = await serving();
    for (let round = 0; round < 3; round += 1) {
      expect(await valuesOf(pooler, "select $1::int * 2", [round])).toEqual([String(round * 2)]);
    }
    expect((await query(pooler, NAMES)).values).toEqual(["ppstmt0"]);
  });

  test("and again with other types", async () => {
    await using pooler = await serving();
    const sql = "select pg_typeof($1)";
    expect(await valuesOf(pooler, sql, ["1"], { parameterTypes: [INT4] })).toEqual(["integer"]);
    expect(await valuesOf(pooler, sql, ["1"], { parameterTypes: [TEXT] })).toEqual(["text"]);
    expect(await valuesOf(pooler, sql, ["1"], { parameterTypes: [INT4] })).toEqual(["integer"]);
    expect((await query(pooler, NAMES)).values).toEqual(["ppstmt0", "ppstmt1"]);
  });

  test("while 20 clients run it at once over 3 sessions", async () => {
    await using pooler = await serving({ capacity: 3 });
    await Promise.all(
      Array.from({ length: 20 }, async (_, client) => {
        for (let round = 0; round < 50; round += 1) {
          expect(await valuesOf(pooler, "select $1::int", [client])).toEqual([String(client)]);
          const own = `select ${client}`;
          expect(await valuesOf(pooler, own)).toEqual([String(client)]);
        }
      }),
    );
  });

  test("and no session keeps more than its bound", async () => {
    await using pooler = await serving();
    const texts = Array.from({ length: 300 }, (_, n) => `select ${n} as "column ${n}"`);
    for (const [n, sql] of texts.entries()) {
      expect(await valuesOf(pooler, sql)).toEqual([String(n)]);
    }
    const count = "select count(*) from pg_prepared_statements";
    expect((await query(pooler, count)).values).toEqual(["256"]);
    expect(await valuesOf(pooler, texts[0] ?? "")).toEqual(["0"]);
    expect((await query(pooler, count)).values).toEqual(["256"]);
  });

  test("and not kept if it is too long to be remembered", async () => {
    await using pooler = await serving();
    const sql = `select $1::text || '${"x".repeat(300_000)}'`;
    for (const value of ["a", "b"]) {
      const [found] = await valuesOf(pooler, sql, [value]);
      expect(found?.slice(0, 2)).toBe(`${value}x`);
    }
    expect(await valuesOf(pooler, "select 1")).toEqual(["1"]);
    const lengths = await query(pooler, "select length(statement) from pg_prepared_statements");
    expect(lengths.values).toEqual(["8"]);
  });
});

describe("parameters and results", () => {
  test("may be NULL, and of types that the database infers", async () => {
    await using pooler = await serving();
    await query(pooler, "create table t (id int, name text)");
    const insert = "insert into t values ($1, $2)";
    await run(pooler, prepared(insert, [1, null]));
    await run(pooler, prepared(insert, [null, "x"]));
    expect(
      await valuesOf(pooler, "select coalesce(name, 'none') from t where id = $1", [1]),
    ).toEqual(["none"]);
    expect((await query(pooler, "select id from t where name = 'x'")).values).toEqual([null]);
  });

  test("may be binary", async () => {
    await using pooler = await serving();
    const five = Buffer.from([0, 0, 0, 5]);
    const sink = await run(
      pooler,
      prepared("select $1::int4 + 1", [], {
        parameters: [five],
        parameterFormats: [1],
        resultFormats: [1],
        describe: true,
      }),
    );
    expect(sink.events.map(({ type }) => type)).toEqual(["fields", "rows", "complete"]);
    expect(Buffer.from(sink.values[0] ?? "").readInt32BE()).toBe(6);
  });

  test("may have no column", async () => {
    await using pooler = await serving();
    const sink = await run(
      pooler,
      prepared("select from generate_series(1, 3)", [], { describe: true }),
    );
    expect(sink.rowCount).toBe(3);
    expect(sink.events[0]?.type).toBe("fields");
  });

  test("end where maxRows ends them", async () => {
    await using pooler = await serving();
    const call = prepared("select generate_series(1, 10)", [], { maxRows: 3, portal: "c" });
    for (let round = 0; round < 2; round += 1) {
      const sink = await run(pooler, call);
      expect(sink.values).toEqual(["1", "2", "3"]);
      expect(sink.events.at(-1)?.type).toBe("suspended");
    }
  });

  test("may be 65,535 parameters and not one more", async () => {
    await using pooler = await serving();
    const list = (count: number): string =>
      `select count(*) from unnest(array[${Array.from({ length: count }, (_, n) => `$${n + 1}`).join()}]::text[])`;
    const values = Array.from({ length: 65_536 }, () => "x");
    expect(await valuesOf(pooler, list(65_535), values.slice(1))).toEqual(["65535"]);
    expect(await failureOf(run(pooler, prepared("select 1", values)))).toMatchObject({
      code: "INVALID_ARGUMENT",
      message: "the number of parameters is 65536; 0 to 65535 are allowed",
    });
  });
});

describe("an error", () => {
  test("in the Parse comes to every caller, and leaves nothing behind", async () => {
    await using pooler = await serving();
    for (let round = 0; round < 2; round += 1) {
      expect(await failureOf(run(pooler, prepared("selec 1")))).toMatchObject({
        code: "DATABASE_ERROR",
        diagnostic: { code: "42601" },
      });
      expect(await failureOf(run(pooler, prepared("select * from later")))).toMatchObject({
        diagnostic: { code: "42P01" },
      });
    }
    await query(pooler, "create table later as select 1 as x");
    expect(await valuesOf(pooler, "select * from later")).toEqual(["1"]);
  });

  test("in the Bind leaves the statement prepared", async () => {
    await using pooler = await serving();
    const sql = "select $1::int";
    expect(await failureOf(run(pooler, prepared(sql, ["x"])))).toMatchObject({
      diagnostic: { code: "22P02" },
    });
    expect((await query(pooler, NAMES)).values).toEqual(["ppstmt0"]);
    expect(await failureOf(run(pooler, prepared(sql, [])))).toMatchObject({
      diagnostic: { code: "08P01" },
    });
    expect(await valuesOf(pooler, sql, [7])).toEqual(["7"]);
    expect((await query(pooler, NAMES)).values).toEqual(["ppstmt0"]);
  });

  test("in the Execute comes behind the rows before it", async () => {
    await using pooler = await serving();
    const sql = "select 10 / (3 - x) from generate_series(1, $1::int) x";
    expect(await failureOf(run(pooler, prepared(sql, [5])))).toMatchObject({
      diagnostic: { code: "22012" },
    });
    expect(await valuesOf(pooler, sql, [2])).toEqual(["5", "10"]);
  });

  test("that the statement itself makes of a missing statement is its own", async () => {
    await using pooler = await serving();
    await query(
      pooler,
      `create function dropping() returns int language plpgsql as
       $$ begin execute 'deallocate nothing_of_that_name'; return 1; end $$`,
    );
    for (let round = 0; round < 2; round += 1) {
      expect(await failureOf(run(pooler, prepared("select dropping()")))).toMatchObject({
        diagnostic: { code: "26000", message: expect.stringContaining("nothing_of_that_name") },
      });
    }
  });
});

describe("what a statement leaves in its session is taken away", () => {
  test("as with a query string", async () => {
    await using pooler = await serving();
    await run(pooler, prepared("select set_config('app.secret', $1, false)", ["mine"]));
    const shown = await valuesOf(pooler, "select current_setting('app.secret', true)");
    expect(shown[0] ?? "").toBe("");
    await run(pooler, prepared("select pg_advisory_lock($1)", [7]));
    expect(
      await valuesOf(pooler, "select count(*) from pg_locks where locktype = 'advisory'"),
    ).toEqual(["0"]);
  });

  test("also what stands in the arguments of an EXECUTE", async () => {
    await using pooler = await serving();
    const argument = {
      sql: "select $1::text",
      suffix: "(set_config('app.secret', 'mine', false))",
    };
    expect(await executed(pooler, argument)).toEqual(["mine"]);
    const shown = await valuesOf(pooler, "select current_setting('app.secret', true)");
    expect(shown[0] ?? "").toBe("");
  });

  test("a transaction that it opens is rolled back", async () => {
    await using pooler = await serving();
    expect(await failureOf(run(pooler, prepared("begin")))).toMatchObject({
      code: "INVALID_ARGUMENT",
      diagnostic: { code: "25000" },
    });
  });

  test("COPY is refused before it is sent", async () => {
    await using pooler = await serving();
    expect(await failureOf(run(pooler, prepared("copy (select 1) to stdout")))).toMatchObject({
      code: "UNIMPLEMENTED",
    });
  });

  test("and a pooler that is read-only stays so", async () => {
    await using pooler = await serving({ target: REPLICA });
    expect(await failureOf(run(pooler, prepared("create table t ()")))).toMatchObject({
      code: "READ_ONLY",
    });
    expect(
      await failureOf(executed(pooler, { prefix: "create table t as execute ", sql: "select 1" })),
    ).toMatchObject({ code: "READ_ONLY" });
    const escape = prepared("select set_config('transaction_read_only', $1, false)", ["off"]);
    expect(await failureOf(run(pooler, escape))).toMatchObject({ code: "READ_ONLY" });
  });
});

describe("SQL that names a prepared statement", () => {
  test("runs it with its arguments", async () => {
    await using pooler = await serving();
    const sum = { sql: "select $1 + $2", parameterTypes: [INT4, INT4] };
    expect(await executed(pooler, { ...sum, suffix: "(1, 2)" })).toEqual(["3"]);
    expect(await executed(pooler, { ...sum, suffix: " ( 3, 4 )" })).toEqual(["7"]);
    expect(await valuesOf(pooler, sum.sql, [5, 6], sum)).toEqual(["11"]);
    expect((await query(pooler, NAMES)).values).toEqual(["ppstmt0"]);
  });

  test("may explain it, or make a table of it", async () => {
    await using pooler = await serving();
    const plan = await executed(pooler, { prefix: "EXPLAIN EXECUTE ", sql: "select 1 as one" });
    expect(plan[0]).toMatch(/Result/);
    const prefix = "CREATE TABLE made AS EXECUTE ";
    await executed(pooler, { prefix, sql: "select $1::int as x", suffix: "(9)" });
    expect(await valuesOf(pooler, "select x from made")).toEqual(["9"]);
  });

  test("fails as PostgreSQL says", async () => {
    await using pooler = await serving();
    expect(await failureOf(executed(pooler, { sql: "selec 1" }))).toMatchObject({
      diagnostic: { code: "42601" },
    });
    expect(
      await failureOf(executed(pooler, { sql: "select $1::int", suffix: "('x')" })),
    ).toMatchObject({ diagnostic: { code: "22P02" } });
    expect(await executed(pooler, { sql: "select $1::int", suffix: "('8')" })).toEqual(["8"]);
  });
});

describe("a description", () => {
  test("has the parameters and the columns of a statement", async () => {
    await using pooler = await serving();
    const description = await described(pooler, "select $1::int as number, $2::text as word");
    expect(description.parameterTypes).toEqual([INT4, TEXT]);
    expect(description.fields).toMatchObject([
      { name: "number", dataTypeOid: INT4 },
      { name: "word", dataTypeOid: TEXT },
    ]);
    expect(await valuesOf(pooler, "select $1::int as number, $2::text as word", [1, "a"])).toEqual([
      "1",
    ]);
    expect((await query(pooler, NAMES)).values).toEqual(["ppstmt0"]);
  });

  test("tells no column from no result", async () => {
    await using pooler = await serving();
    await query(pooler, "create table t (x int)");
    expect(await described(pooler, "select from t")).toEqual({ parameterTypes: [], fields: [] });
    expect(await described(pooler, "insert into t values ($1)")).toEqual({
      parameterTypes: [INT4],
      fields: undefined,
    });
  });

  test("of a portal has its formats and no parameters, as often as it is asked for", async () => {
    await using pooler = await serving();
    const binding = {
      parameters: [Buffer.from("1")],
      parameterFormats: [],
      resultFormats: [1],
    };
    for (let round = 0; round < 2; round += 1) {
      const description = await described(pooler, "select $1::int as number", { binding });
      expect(description.parameterTypes).toEqual([]);
      expect(description.fields).toMatchObject([{ name: "number", format: 1 }]);
    }
  });

  test("runs nothing", async () => {
    await using pooler = await serving();
    await query(pooler, "create table t (x int)");
    const binding = { parameters: [], parameterFormats: [], resultFormats: [] };
    await described(pooler, "insert into t values (1) returning x", { binding });
    await described(pooler, "drop table t");
    expect(await valuesOf(pooler, "select count(*) from t")).toEqual(["0"]);
  });

  test("fails as PostgreSQL says", async () => {
    await using pooler = await serving();
    expect(await failureOf(described(pooler, "select bogus"))).toMatchObject({
      code: "DATABASE_ERROR",
      diagnostic: { code: "42703" },
    });
  });
});
