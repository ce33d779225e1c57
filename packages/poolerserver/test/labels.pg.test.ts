import type { ExecuteRequest } from "@multipooler/query-service";
import { startPostgres } from "@multipooler/test-postgres";
import type { TestPostgres } from "@multipooler/test-postgres";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { MultiPooler } from "../src/multi-pooler.ts";
import { APPLICATION_NAME, REPLICA, databaseOf, request, servingPooler } from "./pooler-fixture.ts";
import { RecordingSink } from "./recording-sink.ts";
import { failureOf } from "./settled.ts";

let postgres: TestPostgres;

beforeAll(async () => {
  postgres = await startPostgres({ settings: { log_min_messages: "warning" } });
  await postgres.sql("create role limited");
  await postgres.sql("create role other");
  await postgres.sql("create table written(n int)");
}, 60_000);

afterAll(async () => {
  await postgres[Symbol.asyncDispose]();
});

type Settings = Readonly<Record<string, string>>;

async function run(
  pooler: MultiPooler,
  settings: Settings,
  sql: string,
  change: Partial<ExecuteRequest> = {},
): Promise<RecordingSink> {
  const sink = new RecordingSink();
  const caller = { user: "", settings: new Map(Object.entries(settings)), origin: "" };
  await pooler.getExecutor().streamExecute(request(sql, { caller, ...change }), sink);
  return sink;
}

async function valueOf(pooler: MultiPooler, settings: Settings, sql: string): Promise<string> {
  const { values } = await run(pooler, settings, sql);
  return values[0] ?? "";
}

/** One session, so that everybody gets what the one before had. */
function onePooler(): Promise<MultiPooler> {
  return servingPooler(databaseOf(postgres), { capacity: 1 });
}

test("a statement runs under the settings of its caller, and the next one under its own", async () => {
  await using pooler = await onePooler();
  const pid = await valueOf(pooler, {}, "select pg_backend_pid()");
  const show = "select current_setting('work_mem') || ' ' || current_setting('search_path')";
  const plain = await valueOf(pooler, {}, show);
  expect(await valueOf(pooler, { work_mem: "7MB" }, show)).toMatch(/^7MB "/);
  expect(await valueOf(pooler, { search_path: "a, b" }, show)).toBe(plain.replace(/ .*/, " a, b"));
  expect(await valueOf(pooler, {}, show)).toBe(plain);
  expect(await valueOf(pooler, {}, "select pg_backend_pid()")).toBe(pid);
});

test("a statement with parameters does too", async () => {
  await using pooler = await onePooler();
  const { values } = await run(pooler, { work_mem: "7MB" }, "", {
    statement: {
      type: "prepared",
      sql: "select current_setting($1)",
      parameterTypes: [],
      parameters: [Buffer.from("work_mem")],
      parameterFormats: [],
      resultFormats: [],
      maxRows: 0,
      describe: false,
    },
  });
  expect(values).toEqual(["7MB"]);
});

test("the application name is the pooler's, unless the caller has one", async () => {
  await using pooler = await onePooler();
  const sql = "select application_name from pg_stat_activity where pid = pg_backend_pid()";
  expect(await valueOf(pooler, {}, sql)).toBe(APPLICATION_NAME);
  expect(await valueOf(pooler, { application_name: "psql" }, sql)).toBe("psql");
  expect(await valueOf(pooler, {}, sql)).toBe(APPLICATION_NAME);
});

test.each([
  ["22023", { work_mem: "nonsense" }, /invalid value for parameter "work_mem": "nonsense"/],
  ["42704", { nonsense: "1" }, /unrecognized configuration parameter "nonsense"/],
  ["22023", { role: "nobody" }, /role "nobody" does not exist/],
])(
  "a setting that PostgreSQL refuses fails with %s, and the statement is not run",
  async (code, settings, message) => {
    await using pooler = await onePooler();
    await run(pooler, { work_mem: "7MB" }, "select 1");
    await postgres.sql("truncate written");
    expect(await failureOf(run(pooler, settings, "insert into written values (1)"))).toMatchObject({
      code: "DATABASE_ERROR",
      diagnostic: { code, message: expect.stringMatching(message) },
    });
    expect(await postgres.sql("select * from written")).toEqual([]);
    expect(await valueOf(pooler, {}, "show work_mem")).not.toBe("7MB");
    expect(await valueOf(pooler, { work_mem: "7MB" }, "show work_mem")).toBe("7MB");
  },
);

test("settings stay although the statement behind them fails, and go with the next label", async () => {
  await using pooler = await onePooler();
  await failureOf(run(pooler, { work_mem: "7MB" }, "select 1/0"));
  expect(await valueOf(pooler, { work_mem: "7MB" }, "show work_mem")).toBe("7MB");
  await failureOf(run(pooler, { work_mem: "8MB" }, "begin; select 1/0"));
  expect(await valueOf(pooler, {}, "show work_mem")).not.toBe("8MB");
});

test("what a statement does with the settings of its label is gone after it", async () => {
  await using pooler = await onePooler();
  const settings = { application_name: "psql", work_mem: "7MB" };
  await run(pooler, settings, "set work_mem = '8MB'; set application_name = 'mine'");
  expect(await valueOf(pooler, settings, "show work_mem")).toBe("7MB");
  expect(await valueOf(pooler, settings, "show application_name")).toBe("psql");
  await run(pooler, settings, "reset all");
  expect(await valueOf(pooler, settings, "show work_mem")).toBe("7MB");
});

test("roles and session authorizations follow the label, and are asked for again each time", async () => {
  await using pooler = await onePooler();
  const who = "select session_user || ' ' || current_user";
  const admin = postgres.user;
  expect(await valueOf(pooler, { role: "limited" }, who)).toBe(`${admin} limited`);
  expect(await valueOf(pooler, { session_authorization: "other" }, who)).toBe("other other");
  expect(await valueOf(pooler, { role: "limited", session_authorization: admin }, who)).toBe(
    `${admin} limited`,
  );
  expect(await valueOf(pooler, {}, who)).toBe(`${admin} ${admin}`);
  await postgres.sql("create role brief");
  expect(await valueOf(pooler, { role: "brief" }, who)).toBe(`${admin} brief`);
  await postgres.sql("drop role brief");
  expect(await failureOf(run(pooler, { role: "brief" }, who))).toMatchObject({
    diagnostic: { code: "22023" },
  });
});

test("statements that cannot run in a transaction run behind a change of the label", async () => {
  await using pooler = await onePooler();
  await run(pooler, { work_mem: "7MB" }, "vacuum written");
  await run(pooler, { default_transaction_isolation: "serializable" }, "select 1");
  const isolation = { default_transaction_isolation: "repeatable read" };
  expect(await valueOf(pooler, isolation, "show transaction_isolation")).toBe("repeatable read");
});

test("values with quotes, backslashes and other characters arrive as they are", async () => {
  await using pooler = await onePooler();
  for (const value of ["it's", "a\\b", "\\'; select 1; --", "zürich", "$1", ""]) {
    expect(await valueOf(pooler, { "app.tenant": value }, "show app.tenant")).toBe(value);
  }
});

test.each(["set temp_buffers = '16MB'", "select set_config('temp_buffers', '16MB', true)"])(
  "a statement can change temp_buffers where others had temporary tables: %s",
  async (sql) => {
    await using pooler = await onePooler();
    await run(pooler, {}, "create temp table t as select 1");
    const pid = await valueOf(pooler, {}, "select pg_backend_pid()");
    await run(pooler, {}, sql);
    expect(await valueOf(pooler, {}, "select pg_backend_pid()")).not.toBe(pid);
  },
);

test("a statement that changes temp_buffers after its own temporary table fails", async () => {
  await using pooler = await onePooler();
  const sql = "create temp table t as select 1; set temp_buffers = '16MB'";
  expect(await failureOf(run(pooler, {}, sql))).toMatchObject({ diagnostic: { code: "22023" } });
});

test("temp_buffers can be set although the session had temporary tables before", async () => {
  await using pooler = await onePooler();
  await run(pooler, {}, "create temp table t as select 1");
  expect(await valueOf(pooler, { temp_buffers: "16MB" }, "show temp_buffers")).toBe("16MB");
  await run(pooler, { temp_buffers: "16MB" }, "create temp table t as select 1");
  expect(await valueOf(pooler, {}, "show temp_buffers")).toBe("8MB");
});

test("a pooler that serves read-only is not made to write by a setting", async () => {
  await using pooler = await servingPooler(databaseOf(postgres), { capacity: 1, target: REPLICA });
  await postgres.sql("truncate written");
  const settings = { default_transaction_read_only: "off" };
  expect(await failureOf(run(pooler, settings, "insert into written values (1)"))).toMatchObject({
    code: "READ_ONLY",
    diagnostic: { code: "25006" },
  });
  expect(await postgres.sql("select * from written")).toEqual([]);
  await run(pooler, { default_transaction_read_only: "on" }, "select 1");
});

test("many callers with settings of their own share few sessions, and see their own alone", async () => {
  await using pooler = await servingPooler(databaseOf(postgres), { capacity: 3 });
  const callers = Array.from({ length: 12 }, (_, index) => `${index % 5}`);
  await Promise.all(
    callers.map(async (caller) => {
      for (let round = 0; round < 20; round += 1) {
        const settings = caller === "0" ? {} : { "app.caller": caller };
        const sql = "select coalesce(current_setting('app.caller', true), '')";
        expect(await valueOf(pooler, settings, sql)).toBe(caller === "0" ? "" : caller);
      }
    }),
  );
});
