import { beforeAll, beforeEach, expect, test } from "vitest";
import { onState, rowsOf, shapeOf, stateOf, valueOf } from "./result-reading.ts";
import { useScene } from "./scene.ts";

const TRANSACTION = 1;
const COMMIT = 1;
const ROLLBACK = 2;
const BACKEND = "select pg_backend_pid()::text, current_setting('work_mem')";

const scene = useScene({
  postgres: {
    settings: { log_statement: "all", log_line_prefix: "[%u] " },
  },
  // One connection of a user at a time, so that it shows what it is changed by.
  pooler: { controller: { capacity: 1 } },
});

beforeAll(async () => {
  await scene.postgres.sql("create role alice login password 'secret'");
  await scene.postgres.sql("create role clerk");
  await scene.postgres.sql("grant clerk to alice");
});

/** How much of PostgreSQL's log is of earlier statements. */
let seen = 0;

async function forget(): Promise<void> {
  seen = (await scene.postgres.logLines()).length;
}

beforeEach(forget);

/** What ran on the pooler's connections since the test began, in order. */
async function statements(): Promise<readonly string[]> {
  const lines = (await scene.postgres.logLines()).slice(seen);
  return lines.flatMap((line) => /LOG: {2}(?:statement|execute [^:]*): (.*)/.exec(line)?.[1] ?? []);
}

test("same map → same backend without extra SQL", async () => {
  const options = { sessionSettings: { work_mem: "7MB", application_name: "psql" } };
  const first = await scene.gateway.streamExecute({ query: BACKEND, options });
  expect(rowsOf(first)[0]?.[1]).toBe("7MB");
  await forget();
  const second = await scene.gateway.streamExecute({ query: BACKEND, options });
  expect(rowsOf(second)).toEqual(rowsOf(first));
  const between = (await statements()).filter((sql) => /set_config|RESET|DISCARD/.test(sql));
  expect(between).toEqual([]);
});

test("different map → reset + set_config", async () => {
  const show = `select current_setting('work_mem'), current_setting('statement_timeout')`;
  const ask = async (sessionSettings: Record<string, string>): Promise<unknown> =>
    rowsOf(await scene.gateway.streamExecute({ query: show, options: { sessionSettings } }));
  expect(await ask({ work_mem: "7MB" })).toEqual([["7MB", "0"]]);
  expect(await ask({ STATEMENT_TIMEOUT: "50s" })).toEqual([["4MB", "50s"]]);
  expect(await ask({})).toEqual([["4MB", "0"]]);
  expect((await statements()).some((sql) => /set_config/.test(sql))).toBe(true);
  // What only looks like two settings is one.
  expect(await ask({ work_mem: "7MB", "my.value": "1;statement_timeout=1s" })).toEqual([
    ["7MB", "0"],
  ]);
});

test("role/session_authorization", async () => {
  const who = "select session_user || ' ' || current_user";
  const ask = async (sessionSettings: Record<string, string>): Promise<unknown> =>
    valueOf(await scene.gateway.streamExecute({ query: who, options: { sessionSettings } }));
  expect(await ask({ role: "clerk" })).toBe("postgres clerk");
  expect(await ask({ session_authorization: "alice", role: "clerk" })).toBe("alice clerk");
  expect(await ask({ session_authorization: "alice" })).toBe("alice alice");
  expect(await ask({})).toBe("postgres postgres");
});

test("release relabel on commit vs rollback", async () => {
  const before = { work_mem: "5MB" };
  const after = { work_mem: "6MB" };
  for (const [conclusion, expected] of [
    [COMMIT, "6MB"],
    [ROLLBACK, "5MB"],
  ] as const) {
    const begun = await scene.gateway.streamExecute({
      query: "set work_mem = '6MB'",
      options: { sessionSettings: before },
      reservationOptions: { reasons: TRANSACTION },
    });
    await scene.gateway.conclude({
      options: { ...onState(begun), sessionSettings: after },
      conclusion,
      rollbackSessionSettings: { vars: before },
    });
    const sessionSettings = conclusion === COMMIT ? after : before;
    const next = await scene.gateway.streamExecute({
      query: BACKEND,
      options: { sessionSettings },
    });
    expect(rowsOf(next)[0]?.[1]).toBe(expected);
    // A caller without settings has none.
    const other = await scene.gateway.streamExecute({ query: BACKEND });
    expect(rowsOf(other)[0]?.[1]).toBe("4MB");
  }
});

test("temp_buffers contamination handled", async () => {
  const made = await scene.gateway.streamExecute({
    query: "create temp table contaminated as select 1",
    reservationOptions: { reasons: TRANSACTION },
  });
  await scene.gateway.conclude({ options: onState(made), conclusion: ROLLBACK });
  const answer = await scene.gateway.streamExecute({
    query: "show temp_buffers",
    options: { sessionSettings: { temp_buffers: "32MB" } },
  });
  expect(answer).toMatchObject({ code: 0 });
  expect(valueOf(answer)).toBe("32MB");
});

test("settings of a request on a reserved connection are not applied", async () => {
  const begun = await scene.gateway.streamExecute({
    query: "select 1",
    reservationOptions: { reasons: TRANSACTION },
  });
  const options = { ...onState(begun), sessionSettings: { work_mem: "9MB" } };
  const asked = await scene.gateway.streamExecute({ query: "show work_mem", options });
  expect(shapeOf(asked)).toEqual(["SHOW", "state"]);
  expect(valueOf(asked)).toBe("4MB");
  expect(stateOf(asked)).toEqual(stateOf(begun));
  await scene.gateway.release({ options });
});
