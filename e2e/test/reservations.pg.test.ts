import { connect } from "@multipooler/grpc-services/client";
import type { PoolerClient } from "@multipooler/grpc-services/client";
import { startPooler } from "@multipooler/pooler-process";
import type { PoolerProcess } from "@multipooler/pooler-process";
import { startPostgres } from "@multipooler/test-postgres";
import type { TestPostgres } from "@multipooler/test-postgres";
import { afterAll, beforeAll, expect, test } from "vitest";
import { flagsFor } from "./flags.ts";
import { streamed } from "./reserving-gateway.ts";

const TRANSACTION = 1;
const TEMP_TABLE = 2;
const ADVISORY_LOCK = 64;
const SET_SEED = 128;
const COMMIT = 1;
const ROLLBACK = 2;
const NO_SETTINGS = { rollbackSessionSettings: {} };

let postgres: TestPostgres;
let pooler: PoolerProcess;
let client: PoolerClient;

beforeAll(async () => {
  postgres = await startPostgres();
  await postgres.sql("create table t (x int unique deferrable initially deferred)");
  pooler = startPooler({ flags: flagsFor(postgres) });
  client = connect({ address: await pooler.grpc() });
  await pooler.ready(200, { signal: AbortSignal.timeout(20_000) });
});

afterAll(async () => {
  client?.close();
  await pooler?.[Symbol.asyncDispose]();
  await postgres?.[Symbol.asyncDispose]();
});

test("a transaction runs over several calls, and commits", async () => {
  const first = await streamed(client, {
    query: "insert into t values (1)",
    reservationOptions: { reasons: TRANSACTION, beginQuery: "BEGIN ISOLATION LEVEL SERIALIZABLE" },
  });
  expect(first.messages).toEqual(["INSERT 0 1", "state"]);
  expect(first.state).toMatchObject({
    reservationReasons: TRANSACTION,
    poolerId: { component: 1, cell: "zone1" },
  });
  const reservedConnectionId = first.state?.reservedConnectionId ?? 0n;
  expect(reservedConnectionId > 2n ** 53n).toBe(true);
  const options = { reservedConnectionId };
  const { result } = await client.executeQuery({
    query: "select pg_backend_pid()::text, current_setting('transaction_isolation')",
    options,
  });
  const text = Buffer.from(result?.rows[0]?.values ?? "").toString();
  expect(text).toBe(`${first.state?.backendProcessId}serializable`);
  const concluded = await client.concludeTransaction({
    options,
    conclusion: COMMIT,
    ...NO_SETTINGS,
  });
  expect(concluded).toMatchObject({ result: { commandTag: "COMMIT" }, reservedState: undefined });
  expect(await postgres.sql("select x from t")).toEqual([{ x: 1 }]);
});

test("what stays reserved comes before the error that a transaction fails with", async () => {
  const failed = await streamed(client, {
    query: "select 1 / 0",
    reservationOptions: { reasons: TRANSACTION },
  });
  expect(failed.messages).toEqual(["state"]);
  expect(failed.error).toMatchObject({ code: "UNKNOWN", diagnostic: { code: "22012" } });
  const options = { reservedConnectionId: failed.state?.reservedConnectionId ?? 0n };
  const after = await streamed(client, { query: "select 1", options });
  expect(after.error?.diagnostic?.code).toBe("25P02");
  expect(after.messages).toEqual(["state"]);
  const { result } = await client.concludeTransaction({
    options,
    conclusion: ROLLBACK,
    ...NO_SETTINGS,
  });
  expect(result?.commandTag).toBe("ROLLBACK");
});

test("a COMMIT that fails says in its status what stays reserved", async () => {
  const made = await streamed(client, {
    query: "create temp table mine (y int)",
    reservationOptions: { reasons: TEMP_TABLE },
  });
  const options = { reservedConnectionId: made.state?.reservedConnectionId ?? 0n };
  const begun = await streamed(client, {
    query: "insert into t values (5), (5)",
    options,
    reservationOptions: { reasons: TRANSACTION, beginQuery: "begin;" },
  });
  expect(begun.state).toMatchObject({
    ...made.state,
    reservationReasons: TRANSACTION | TEMP_TABLE,
  });
  const commit = client.concludeTransaction({ options, conclusion: COMMIT, ...NO_SETTINGS });
  await expect(commit).rejects.toMatchObject({
    diagnostic: { code: "23505" },
    reservedState: { reservationReasons: TEMP_TABLE },
  });
  const discarded = await client.discardTempTables({ options });
  expect(discarded).toMatchObject({ reservedState: undefined });
  const gone = await streamed(client, { query: "select 1", options });
  expect(gone).toMatchObject({
    messages: [],
    error: {
      code: "UNKNOWN",
      diagnostic: {
        code: "40001",
        message: "reserved connection terminated; please retry",
        detail: `reserved connection ${options.reservedConnectionId} was terminated`,
      },
    },
  });
});

test("locks are asked for, and a seed is sticky", async () => {
  const locked = await streamed(client, {
    query: "select pg_advisory_lock(7)",
    reservationOptions: { reasons: ADVISORY_LOCK, recheckAdvisoryLocks: true },
  });
  const options = { reservedConnectionId: locked.state?.reservedConnectionId ?? 0n };
  const unlocked = await streamed(client, {
    query: "select pg_advisory_unlock(7)",
    options,
    reservationOptions: { recheckAdvisoryLocks: true },
  });
  expect(unlocked.messages).toEqual(["SELECT 1"]);
  const seeded = await streamed(client, {
    query: "select setseed(0.5)",
    reservationOptions: { reasons: SET_SEED | ADVISORY_LOCK },
  });
  const release = { options: { reservedConnectionId: seeded.state?.reservedConnectionId ?? 0n } };
  const kept = await client.releaseReservedConnection({ ...release, keepStickyReservations: true });
  expect(kept.reservedState).toMatchObject({ ...seeded.state, reservationReasons: SET_SEED });
  expect(await client.releaseReservedConnection(release)).toEqual({ reservedState: undefined });
  expect(await client.releaseReservedConnection(release)).toEqual({ reservedState: undefined });
});

test("a cancelled call ends its transaction, and a release of it is none", async () => {
  const begun = await streamed(client, {
    query: "insert into t values (9)",
    reservationOptions: { reasons: TRANSACTION },
  });
  const options = { reservedConnectionId: begun.state?.reservedConnectionId ?? 0n };
  // Whatever it does: while the statement runs, its state is "active".
  const pid = Number(begun.state?.backendProcessId);
  const inTransaction = `select 1 from pg_stat_activity where pid = ${pid} and xact_start is not null`;
  const sleeping = client.executeQuery(
    { query: "select pg_sleep(60)", options },
    { signal: AbortSignal.timeout(200) },
  );
  await expect(sleeping).rejects.toMatchObject({ name: "GrpcStatusError", code: "CANCELLED" });
  await expect.poll(() => postgres.sql(inTransaction), { timeout: 20_000 }).toEqual([]);
  const after = await streamed(client, { query: "select 1", options });
  expect(after).toMatchObject({ messages: [], error: { diagnostic: { code: "40001" } } });
  await client.releaseReservedConnection({ options });
  expect(await postgres.sql("select 1 from t where x = 9")).toEqual([]);
});

test("reasons that this version does not know are refused", async () => {
  const refused = await streamed(client, {
    query: "select 1",
    reservationOptions: { reasons: 256 },
  });
  expect(refused).toMatchObject({
    messages: [],
    error: { code: "INVALID_ARGUMENT", message: "invalid reservation reasons: 0x100" },
  });
});
