import { TcpProxy } from "@multipooler/tcp-proxy";
import type { TestPostgres, TemporaryDatabase } from "@multipooler/test-postgres";
import fc from "fast-check";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { MultiPooler } from "../src/multi-pooler.ts";
import { databaseOf, query, servingPooler, sessionCount } from "./pooler-fixture.ts";
import { described, executed, prepared, run, valuesOf } from "./prepared.ts";
import { failureOf } from "./settled.ts";
import { useServer } from "./test-server.ts";

let postgres: TestPostgres;
let database: TemporaryDatabase;

useServer(
  (started) => {
    postgres = started;
  },
  { settings: { max_connections: "40" } },
);

beforeEach(async () => {
  database = await postgres.createDatabase();
});

afterEach(async () => {
  // A proxy ends them a moment later.
  await expect.poll(() => sessionCount(postgres, database.name)).toBe(0);
  await database[Symbol.asyncDispose]();
});

function serving(options: { capacity?: number; port?: number } = {}): Promise<MultiPooler> {
  const { capacity = 1, port } = options;
  const handle = databaseOf(postgres, {
    database: database.name,
    ...(port === undefined ? {} : { port }),
  });
  return servingPooler(handle, { capacity });
}

/** Runs SQL beside the pooler. */
function beside(sql: string): Promise<unknown> {
  return postgres.sql(sql, { database: database.name });
}

/** Runs `call` on as many sessions as there are, by holding each while the others are asked for. */
function onEach(capacity: number, call: () => Promise<unknown>): Promise<unknown[]> {
  return Promise.all(Array.from({ length: capacity }, call));
}

test("a table that changes is found out on one session, not on each in turn", async () => {
  let carried = "";
  await using proxy = await TcpProxy.before(postgres.port, (bytes) => {
    carried += bytes.toString("latin1");
  });
  const capacity = 5;
  await using pooler = await serving({ capacity, port: proxy.port });
  await beside("create table t as select 1 as a");
  const sql = "select t.*, pg_sleep(0.05) is null from t";
  await onEach(capacity, () => valuesOf(pooler, sql));
  expect(await sessionCount(postgres, database.name)).toBe(capacity);
  await beside("alter table t add column b int default 2");
  carried = "";
  expect(await valuesOf(pooler, sql)).toEqual(["1"]);
  await onEach(capacity * 4, async () => {
    expect(await valuesOf(pooler, sql)).toEqual(["1"]);
  });
  expect(carried.split("RevalidateCachedQuery")).toHaveLength(2);
  expect((await described(pooler, sql)).fields?.map(({ name }) => name)).toEqual([
    "a",
    "b",
    "?column?",
  ]);
});

test("a table that changes while many run shows in nobody's result", async () => {
  await using pooler = await serving({ capacity: 4 });
  await beside("create table t as select 1 as a");
  const sql = "select * from t";
  const over = new AbortController();
  const clients = Array.from({ length: 8 }, async () => {
    while (!over.signal.aborted) {
      expect(await valuesOf(pooler, sql)).toEqual(["1"]);
    }
  });
  for (let n = 0; n < 20; n += 1) {
    await beside(`alter table t add column c${n} int`);
  }
  over.abort();
  await Promise.all(clients);
});

test("a description of a table that has changed is up to date", async () => {
  await using pooler = await serving();
  await beside("create table t (a int)");
  const sql = "select * from t";
  expect((await described(pooler, sql)).fields).toHaveLength(1);
  await beside("alter table t add column b int");
  expect((await described(pooler, sql)).fields).toHaveLength(2);
  await beside("alter table t add column c int");
  const binding = { parameters: [], parameterFormats: [], resultFormats: [] };
  expect((await described(pooler, sql, { binding })).fields).toHaveLength(3);
});

test("a column whose type changes takes the parameters of its new type at once", async () => {
  await using pooler = await serving({ capacity: 3 });
  await beside("create table t (a int)");
  const sql = "insert into t values ($1) returning a";
  await onEach(3, () => valuesOf(pooler, sql, [1]));
  await beside("alter table t alter column a type text");
  await onEach(6, async () => {
    expect(await valuesOf(pooler, sql, ["word"])).toEqual(["word"]);
  });
  await query(pooler, "alter table t alter column a type int using length(a)");
  expect((await described(pooler, sql)).parameterTypes).toEqual([23]);
});

test("SQL that names a statement sees a changed table once at most", async () => {
  await using pooler = await serving();
  await beside("create table t as select 1 as a");
  const sql = "select * from t";
  expect(await executed(pooler, { sql })).toEqual(["1"]);
  await beside("alter table t add column b int");
  expect(await failureOf(executed(pooler, { sql }))).toMatchObject({
    diagnostic: { code: "0A000" },
  });
  expect(await executed(pooler, { sql })).toEqual(["1"]);
  expect(await valuesOf(pooler, sql)).toEqual(["1"]);
});

test.each(["deallocate all", "discard all", "deallocate ppstmt0", "prepare ppstmt0 as select 'x'"])(
  "a caller that runs %s takes nothing from the others",
  async (sql) => {
    await using pooler = await serving();
    for (let round = 0; round < 3; round += 1) {
      expect(await valuesOf(pooler, "select $1::int", [round])).toEqual([String(round)]);
      await query(pooler, sql).catch(() => undefined);
      expect((await described(pooler, "select $1::int")).parameterTypes).toEqual([23]);
      await run(pooler, prepared(sql)).catch(() => undefined);
    }
  },
);

test("statements that a function drops of which nobody knows are parsed again", async () => {
  await using pooler = await serving();
  await beside(`create function dropping() returns int language plpgsql as
    $$ begin execute 'deal' || 'locate all'; return 1; end $$`);
  for (let round = 0; round < 3; round += 1) {
    expect(await valuesOf(pooler, "select $1::int", [round])).toEqual([String(round)]);
    await query(pooler, "select dropping()");
  }
});

test("a session that dies takes its statements with it", async () => {
  await using pooler = await serving();
  const sql = "select $1::int, pg_backend_pid()";
  for (let round = 0; round < 3; round += 1) {
    expect(await valuesOf(pooler, sql, [round])).toEqual([String(round)]);
    const killing = prepared("select pg_terminate_backend(pg_backend_pid())");
    expect(await failureOf(run(pooler, killing))).toMatchObject({ name: "PoolerError" });
  }
});

test("a cancelled statement stays prepared, and its session serves on", async () => {
  await using pooler = await serving();
  const sql = "select $1::int from pg_sleep($2::float8)";
  const controller = new AbortController();
  const sleeping = failureOf(run(pooler, prepared(sql, [1, 60]), { signal: controller.signal }));
  for (;;) {
    const rows = await postgres.sql(
      "select 1 from pg_stat_activity where datname = $1 and wait_event = 'PgSleep'",
      { values: [database.name] },
    );
    if (rows.length > 0) {
      break;
    }
  }
  controller.abort();
  expect(await sleeping).toMatchObject({ code: "CANCELLED" });
  expect(await valuesOf(pooler, sql, [2, 0])).toEqual(["2"]);
  expect((await query(pooler, "select name from pg_prepared_statements")).values).toEqual([
    "ppstmt0",
  ]);
});

test("a call that is taken back before it was sent leaves no statement open", async () => {
  await using pooler = await serving();
  for (let round = 0; round < 300; round += 1) {
    const controller = new AbortController();
    const aborted = run(pooler, prepared(`select 'aborted ${round}'`), {
      signal: controller.signal,
    });
    controller.abort();
    expect(await failureOf(aborted)).toMatchObject({ code: "CANCELLED" });
    expect(await valuesOf(pooler, `select ${round}`)).toEqual([String(round)]);
  }
  const [count] = (await query(pooler, "select count(*) from pg_prepared_statements")).values;
  expect(Number(count)).toBeLessThanOrEqual(256);
});

const TEXTS = [
  "select $1 || '-a'",
  "select $1 || '-b'",
  "select $1 || '-' || count(*) from t group by ()",
  "select $1::text || '-' || (t.*)::text from t",
  "insert into sink values ($1) returning x || '-in'",
];
const DISTURBANCES = [
  "deallocate all",
  "discard all",
  "do $$ begin execute 'deallocate all'; end $$",
  "prepare ppstmt1 as select 'not yours'",
  "select set_config('search_path', 'pg_catalog', false)",
  "select pg_terminate_backend(pg_backend_pid())",
  "alter table t add column if not exists more int",
  "alter table t drop column if exists more",
];

/** One step of a client. */
type Step =
  | { readonly type: "run"; readonly text: number; readonly types: readonly number[] }
  | { readonly type: "execute"; readonly text: number }
  | { readonly type: "describe"; readonly text: number }
  | { readonly type: "fail"; readonly sql: string }
  | { readonly type: "abort"; readonly text: number }
  | { readonly type: "disturb"; readonly sql: string };

const textIndex = fc.nat(TEXTS.length - 1);
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 10,
    arbitrary: fc.record({
      type: fc.constant("run" as const),
      text: textIndex,
      types: fc.constantFrom([], [25], [1043]),
    }),
  },
  { weight: 2, arbitrary: fc.record({ type: fc.constant("execute" as const), text: textIndex }) },
  { weight: 2, arbitrary: fc.record({ type: fc.constant("describe" as const), text: textIndex }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant("abort" as const), text: textIndex }) },
  {
    weight: 1,
    arbitrary: fc.record({
      type: fc.constant("fail" as const),
      sql: fc.constantFrom("selec 1", "select 1/0", "select bogus", "select $1::int"),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      type: fc.constant("disturb" as const),
      sql: fc.constantFrom(...DISTURBANCES),
    }),
  },
);

/** Whether `value` is what the text yields for `own`. */
function isOwn(text: number, own: string, value: string | null | undefined): boolean {
  const rest = [/^-a$/, /^-b$/, /^-1$/, /^-\(7.*\)$/, /^-in$/][text];
  return value?.startsWith(own) === true && rest?.test(value.slice(own.length)) === true;
}

/** What a client may see although nothing is wrong: its session was ended by a neighbour's death. */
async function play(pooler: MultiPooler, one: Step, own: string): Promise<void> {
  switch (one.type) {
    case "run": {
      const sql = TEXTS[one.text] ?? "";
      const [value] = await valuesOf(pooler, sql, [own], { parameterTypes: one.types });
      expect({ sql, own, value, isOwn: isOwn(one.text, own, value) }).toMatchObject({
        isOwn: true,
      });
      return;
    }
    case "execute": {
      const sql = TEXTS[one.text] ?? "";
      // The only path on which PostgreSQL's own error about a changed table is not healed.
      const values = await executed(pooler, { sql, suffix: `('${own}')` }).catch(
        (error: unknown) => {
          expect(error).toMatchObject({ diagnostic: { code: "0A000" } });
        },
      );
      expect(values === undefined || isOwn(one.text, own, values[0])).toBe(true);
      return;
    }
    case "describe":
      expect((await described(pooler, TEXTS[one.text] ?? "")).fields).toHaveLength(1);
      return;
    case "abort": {
      const controller = new AbortController();
      const call = run(pooler, prepared(TEXTS[one.text] ?? "", [own]), {
        signal: controller.signal,
      });
      controller.abort();
      expect(await failureOf(call)).toMatchObject({ code: "CANCELLED" });
      return;
    }
    case "fail":
      expect(await failureOf(run(pooler, prepared(one.sql)))).toMatchObject({
        code: "DATABASE_ERROR",
      });
      return;
    case "disturb":
      await query(pooler, one.sql).catch(() => undefined);
  }
}

test("whatever callers do to their sessions, each gets its own result", async () => {
  await beside("create table t (id int); insert into t values (7); create table sink (x text)");
  await using pooler = await serving({ capacity: 3 });
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.array(step, { minLength: 1, maxLength: 12 }), { minLength: 1, maxLength: 6 }),
      async (clients) => {
        await Promise.all(
          clients.map(async (steps, client) => {
            for (const [index, one] of steps.entries()) {
              await play(pooler, one, `${client}.${index}`);
            }
          }),
        );
      },
    ),
    { numRuns: 150 },
  );
}, 120_000);
