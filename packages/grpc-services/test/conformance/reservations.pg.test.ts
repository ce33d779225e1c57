import { beforeAll, expect, test } from "vitest";
import { ConformingPooler } from "./conforming-pooler.ts";
import { Gateway } from "./gateway.ts";
import { onState, rowsOf, shapeOf, stateOf, valueOf } from "./result-reading.ts";
import { useScene } from "./scene.ts";
import type { Answer } from "./wire-client.ts";

const TRANSACTION = 1;
const TEMP_TABLE = 2;
const PORTAL = 4;
const ADVISORY_LOCK = 64;
const SET_SEED = 128;
const COMMIT = 1;
const ROLLBACK = 2;
const UNKNOWN = 2;
const BEGIN = { reasons: TRANSACTION };
const BACKEND_PID = "select pg_backend_pid()::text";
const ENDED = {
  code: UNKNOWN,
  messages: [],
  rpcError: {
    pgDiagnostic: { code: "40001", message: "reserved connection terminated; please retry" },
  },
};

const scene = useScene();

beforeAll(async () => {
  await scene.postgres.sql("create table t (x int unique deferrable initially deferred)");
  await scene.postgres.sql("create role alice login password 'secret'");
});

/** The only answer of a unary call. */
function only<Response>({ messages }: Answer<Response>): Response | undefined {
  return messages[0];
}

/** Whether PostgreSQL still has this process. */
async function lives(pid: number | undefined): Promise<boolean> {
  const rows = await scene.postgres.sql("select 1 from pg_stat_activity where pid = $1", {
    values: [pid],
  });
  return rows.length > 0;
}

test("BEGIN via reasons=1 with begin_query `BEGIN ISOLATION LEVEL SERIALIZABLE`; state ids BigInt; pooler_id filled; pid correct", async () => {
  const answer = await scene.gateway.streamExecute({
    query: `${BACKEND_PID} union all select current_setting('transaction_isolation')`,
    reservationOptions: { ...BEGIN, beginQuery: "BEGIN ISOLATION LEVEL SERIALIZABLE" },
  });
  expect(shapeOf(answer)).toEqual(["SELECT 2", "state"]);
  const state = stateOf(answer);
  expect(rowsOf(answer)).toEqual([[String(state?.backendProcessId)], ["serializable"]]);
  expect(state).toMatchObject({
    poolerId: { component: 1, cell: "zone1", name: "a" },
    reservationReasons: TRANSACTION,
  });
  expect((state?.reservedConnectionId ?? 0n) > 2n ** 53n).toBe(true);
  await scene.gateway.release({ options: onState(answer) });
});

test("error inside transaction: state message precedes the error status; ROLLBACK works afterwards", async () => {
  const begun = await scene.gateway.streamExecute({
    query: "insert into t values (10)",
    reservationOptions: { ...BEGIN, beginQuery: "begin;" },
  });
  const options = onState(begun);
  const failed = await scene.gateway.streamExecute({ query: "select 1/0", options });
  expect(shapeOf(failed)).toEqual(["state"]);
  expect(failed).toMatchObject({ code: UNKNOWN, rpcError: { pgDiagnostic: { code: "22012" } } });
  const rolledBack = await scene.gateway.conclude({ options, conclusion: ROLLBACK });
  expect(rolledBack).toMatchObject({ code: 0, messages: [{ result: { commandTag: "ROLLBACK" } }] });
  expect(only(rolledBack)?.reservedState).toBeUndefined();
});

test("first statement failing with reasons=1 keeps an aborted transaction reserved", async () => {
  const failed = await scene.gateway.streamExecute({
    query: "select 1/0",
    reservationOptions: BEGIN,
  });
  expect(shapeOf(failed)).toEqual(["state"]);
  const options = onState(failed);
  const aborted = await scene.gateway.streamExecute({ query: "select 1", options });
  expect(aborted.rpcError?.pgDiagnostic?.code).toBe("25P02");
  const committed = await scene.gateway.conclude({ options, conclusion: COMMIT });
  expect(only(committed)?.result?.commandTag).toBe("ROLLBACK");
});

test("TEMP_TABLE failing statement releases; successful one closes the socket on release", async () => {
  const reservationOptions = { reasons: TEMP_TABLE };
  const failed = await scene.gateway.streamExecute({
    query: "create temp table nope (x nothing)",
    reservationOptions,
  });
  expect(shapeOf(failed)).toEqual([]);
  expect(failed.rpcError?.pgDiagnostic?.code).toBe("42704");
  const made = await scene.gateway.streamExecute({
    query: "create temp table mine (x int)",
    reservationOptions,
  });
  const options = onState(made);
  expect(stateOf(made)?.reservationReasons).toBe(TEMP_TABLE);
  const discarded = await scene.gateway.discardTempTables({ options });
  expect(only(discarded)).toMatchObject({ result: { commandTag: "DISCARD TEMP" } });
  expect(only(discarded)?.reservedState).toBeUndefined();
  await expect.poll(() => lives(stateOf(made)?.backendProcessId)).toBe(false);
});

test("conclude COMMIT/ROLLBACK/CHAIN", async () => {
  const begun = await scene.gateway.streamExecute({
    query: "insert into t values (20)",
    reservationOptions: { ...BEGIN, beginQuery: "BEGIN ISOLATION LEVEL REPEATABLE READ" },
  });
  const options = onState(begun);
  const chained = await scene.gateway.conclude({ options, conclusion: COMMIT, chain: true });
  expect(only(chained)).toMatchObject({
    result: { commandTag: "COMMIT" },
    reservedState: stateOf(begun),
  });
  const isolation = { query: "show transaction_isolation", options };
  expect(valueOf(await scene.gateway.streamExecute(isolation))).toBe("repeatable read");
  await scene.gateway.streamExecute({ query: "insert into t values (21)", options });
  const rolledBack = await scene.gateway.conclude({ options, conclusion: ROLLBACK, chain: true });
  expect(only(rolledBack)?.result?.commandTag).toBe("ROLLBACK");
  await scene.gateway.streamExecute({ query: "insert into t values (22)", options });
  expect(only(await scene.gateway.conclude({ options, conclusion: COMMIT }))).toEqual({
    result: expect.objectContaining({ commandTag: "COMMIT" }),
    reservedState: undefined,
  });
  const kept = "select x from t where x between 20 and 29 order by x";
  expect(await scene.postgres.sql(kept)).toEqual([{ x: 20 }, { x: 22 }]);
});

test("deferred constraint failure at COMMIT", async () => {
  const begun = await scene.gateway.streamExecute({
    query: "insert into t values (30), (30)",
    reservationOptions: BEGIN,
  });
  const options = onState(begun);
  const failed = await scene.gateway.conclude({ options, conclusion: COMMIT });
  expect(failed).toMatchObject({ code: UNKNOWN, rpcError: { pgDiagnostic: { code: "23505" } } });
  expect(failed.reservedState).toBeUndefined();
  expect(await scene.gateway.streamExecute({ query: "select 1", options })).toMatchObject(ENDED);
});

test("missing rollback map closes the socket", async () => {
  const begun = await scene.gateway.streamExecute({
    query: "set work_mem = '9MB'",
    reservationOptions: BEGIN,
  });
  const answer = await scene.gateway.conclude({
    options: onState(begun),
    conclusion: ROLLBACK,
    rollbackSessionSettings: undefined,
  });
  expect(only(answer)?.reservedState).toBeUndefined();
  await expect.poll(() => lives(stateOf(begun)?.backendProcessId)).toBe(false);
});

test("second detail carries state when temp table remains", async () => {
  const made = await scene.gateway.streamExecute({
    query: "create temp table kept (x int)",
    reservationOptions: { reasons: TEMP_TABLE },
  });
  const options = onState(made);
  const begun = await scene.gateway.streamExecute({
    query: "insert into t values (40), (40)",
    options,
    reservationOptions: { ...BEGIN, beginQuery: "begin;" },
  });
  expect(stateOf(begun)?.reservationReasons).toBe(TRANSACTION | TEMP_TABLE);
  const failed = await scene.gateway.conclude({ options, conclusion: COMMIT });
  expect(failed).toMatchObject({
    code: UNKNOWN,
    rpcError: { pgDiagnostic: { code: "23505" } },
    reservedState: { ...options, reservationReasons: TEMP_TABLE },
  });
  const still = await scene.gateway.streamExecute({ query: "table kept", options });
  expect(shapeOf(still)).toEqual(["SELECT 0", "state"]);
  await scene.gateway.release({ options });
});

test("release idempotent", async () => {
  const begun = await scene.gateway.streamExecute({ query: "select 1", reservationOptions: BEGIN });
  const options = onState(begun);
  for (const wish of [{ options }, { options }, {}, { options: { reservedConnectionId: 1n } }]) {
    expect(await scene.gateway.release(wish)).toMatchObject({
      code: 0,
      messages: [{ reservedState: undefined }],
    });
  }
});

test("keep_sticky with setseed", async () => {
  const seeded = await scene.gateway.streamExecute({
    query: "select setseed(0.5)",
    reservationOptions: { reasons: SET_SEED | ADVISORY_LOCK },
  });
  const options = onState(seeded);
  const kept = await scene.gateway.release({ options, keepStickyReservations: true });
  expect(only(kept)?.reservedState).toMatchObject({ ...options, reservationReasons: SET_SEED });
  const random = { query: "select random()::text", options };
  expect(valueOf(await scene.gateway.streamExecute(random))).toMatch(/^0\.98516/);
  expect(only(await scene.gateway.release({ options }))?.reservedState).toBeUndefined();
});

test("wrong user → 40001", async () => {
  const begun = await scene.gateway.streamExecute({ query: "select 1", reservationOptions: BEGIN });
  const options = onState(begun);
  const alice = await scene.gateway.logIn("alice", "secret");
  const stolen = { query: "select 1", options: { ...alice, ...options } };
  expect(await scene.gateway.streamExecute(stolen)).toMatchObject(ENDED);
  expect(shapeOf(await scene.gateway.streamExecute({ query: "select 1", options }))).toEqual([
    "SELECT 1",
    "state",
  ]);
  await scene.gateway.release({ options });
});

test("idle 30 s → 40001", async () => {
  await using pooler = await ConformingPooler.start(scene.postgres, {
    controller: { inactivityTimeoutMs: 200 },
  });
  const gateway = new Gateway(pooler.client);
  const begun = await gateway.streamExecute({ query: "select 1", reservationOptions: BEGIN });
  const options = onState(begun);
  // A statement that runs for longer is not idle.
  const busy = await gateway.streamExecute({ query: "select pg_sleep(0.6)", options });
  expect(shapeOf(busy)).toEqual(["SELECT 1", "state"]);
  await expect.poll(() => lives(stateOf(begun)?.backendProcessId)).toBe(false);
  expect(await gateway.streamExecute({ query: "select 1", options })).toMatchObject({
    ...ENDED,
    rpcError: {
      pgDiagnostic: {
        code: "40001",
        detail: `reserved connection ${options.reservedConnectionId} was terminated`,
      },
    },
  });
});

test("advisory unlock with recheck releases; with lock kept stays", async () => {
  const recheck = { recheckAdvisoryLocks: true };
  const locked = await scene.gateway.streamExecute({
    query: "select pg_advisory_lock(1), pg_advisory_lock(2)",
    reservationOptions: { reasons: ADVISORY_LOCK, ...recheck },
  });
  const options = onState(locked);
  const unlock = async (key: number): Promise<readonly string[]> =>
    shapeOf(
      await scene.gateway.streamExecute({
        query: `select pg_advisory_unlock(${key})`,
        options,
        reservationOptions: recheck,
      }),
    );
  expect(await unlock(1)).toEqual(["SELECT 1", "state"]);
  expect(await unlock(2)).toEqual(["SELECT 1"]);
});

test("pin/release portal names with WITH HOLD cursor", async () => {
  const declared = await scene.gateway.streamExecute({
    query: "declare c cursor with hold for select generate_series(1, 5)",
    reservationOptions: {
      reasons: TRANSACTION | PORTAL,
      pinPortalNames: ["c"],
      beginQuery: "begin;",
    },
  });
  const options = onState(declared);
  expect(stateOf(declared)?.reservationReasons).toBe(TRANSACTION | PORTAL);
  const committed = await scene.gateway.conclude({ options, conclusion: COMMIT });
  expect(only(committed)?.reservedState?.reservationReasons).toBe(PORTAL);
  const fetched = await scene.gateway.streamExecute({ query: "fetch 2 from c", options });
  expect(rowsOf(fetched)).toEqual([["1"], ["2"]]);
  const closed = await scene.gateway.streamExecute({
    query: "close c",
    options,
    reservationOptions: { releasePortalNames: ["c"] },
  });
  expect(shapeOf(closed)).toEqual(["CLOSE CURSOR"]);
});
