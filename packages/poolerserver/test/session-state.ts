import { BackendConnection } from "@multipooler/pgwire";
import type { TestPostgres } from "@multipooler/test-postgres";
import { Taint } from "../src/classification/taint.ts";
import type { TaintSet } from "../src/classification/taint.ts";
import { send } from "./borrowing.ts";
import { RecordingSink } from "./recording-sink.ts";

/** By the kind of taint, queries whose answers differ when a statement has left that behind. */
const LOOKS: readonly (readonly [taint: TaintSet, queries: readonly string[]])[] = [
  [
    Taint.Settings,
    [
      `select string_agg(concat_ws('|', name, setting, source), ',' order by name) from pg_settings
       where name not like 'plpgsql.%'`,
      "select concat(current_user, session_user)",
      // A setting of a user is empty, and no longer unknown, once a transaction has set it.
      "select concat(current_setting('app.a', true), current_setting('app.b', true))",
    ],
  ],
  [Taint.Sequences, ["select lastval()"]],
  [
    Taint.Locks,
    [
      `select string_agg(concat(classid, objid), ',') from pg_locks
       where locktype = 'advisory' and pid = pg_backend_pid()`,
    ],
  ],
  [Taint.Temporary, ["select count(*) from pg_depend where refobjid = pg_my_temp_schema()"]],
  [
    Taint.State,
    [
      "select string_agg(name, ',' order by name) from pg_prepared_statements",
      "select string_agg(name, ',' order by name) from pg_cursors where is_holdable",
      "select string_agg(c, ',' order by c) from pg_listening_channels() c",
    ],
  ],
];

/** A session of its own. */
async function openSession(
  { host, port, user }: TestPostgres,
  database = "postgres",
): Promise<BackendConnection> {
  return await BackendConnection.connect({
    address: { type: "tcp", host, port },
    user,
    database,
  });
}

/** What the session answers; nothing where it refuses. */
async function answerOf(session: BackendConnection, sql: string): Promise<string> {
  const sink = new RecordingSink();
  const end = await send(session, sql, sink);
  return end.type === "ready" && end.error === undefined ? JSON.stringify(sink.values) : "";
}

/**
 * The kinds of taint that `sql` really leaves in a new session, other than `Taint.Lasting`. A seed shows
 * in two sessions that go on alike.
 */
export async function taintLeftBy(postgres: TestPostgres, sql: string): Promise<TaintSet> {
  const one = await lookAround(postgres, sql);
  const other = await lookAround(postgres, sql);
  const isSeeded = one.random !== "" && one.random === other.random;
  return one.taint | (isSeeded ? Taint.Seed : Taint.None);
}

async function lookAround(
  postgres: TestPostgres,
  sql: string,
): Promise<{ taint: TaintSet; random: string }> {
  await using session = await openSession(postgres);
  const before = await stateOf(session);
  await answerOf(session, sql);
  // Where it failed in a transaction block.
  await answerOf(session, "rollback");
  const after = await stateOf(session);
  const taint = LOOKS.reduce(
    (set, [kind], index) => (before[index] === after[index] ? set : set | kind),
    Taint.None as TaintSet,
  );
  return { taint, random: await answerOf(session, "select random()") };
}

async function stateOf(session: BackendConnection): Promise<string[]> {
  const state: string[] = [];
  for (const [, queries] of LOOKS) {
    const answers: string[] = [];
    for (const query of queries) {
      answers.push(await answerOf(session, query));
    }
    state.push(answers.join("\n"));
  }
  return state;
}
