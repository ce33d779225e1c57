import { ReservationReason } from "@multipooler/query-service";
import type { Caller, Place } from "@multipooler/query-service";
import { scramKeysOf, startPostgres } from "@multipooler/test-postgres";
import type { TestPostgres } from "@multipooler/test-postgres";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { MultiPooler } from "../src/multi-pooler.ts";
import { databaseOf, request, servingPooler } from "./pooler-fixture.ts";
import { RecordingSink } from "./recording-sink.ts";
import { failureOf } from "./settled.ts";

let postgres: TestPostgres;

beforeAll(async () => {
  postgres = await startPostgres({ auth: "scram-sha-256" });
  await postgres.sql("create role alice login password 'secret'");
}, 60_000);

afterAll(async () => {
  await postgres[Symbol.asyncDispose]();
});

const RESERVE: Place = { type: "reserve", reasons: ReservationReason.Transaction, begin: "BEGIN" };
const SHOW =
  "select current_user || ' ' || current_setting('work_mem') || ' ' || pg_backend_pid()::text";

async function run(
  pooler: MultiPooler,
  caller: Caller,
  sql: string,
  place: Place,
): Promise<{ readonly id: bigint | undefined; readonly value: string | null | undefined }> {
  const sink = new RecordingSink();
  const { reservation } = await pooler
    .getExecutor()
    .streamExecute(request(sql, { caller, place }), sink);
  return { id: reservation?.id, value: sink.values[0] };
}

test("a reservation begins under the settings and as the user of its caller, and leaves neither", async () => {
  await using pooler = await servingPooler(databaseOf(postgres), { capacity: 2 });
  const keys = await scramKeysOf(postgres, "alice", "secret");
  const caller: Caller = {
    user: "alice",
    keys,
    settings: new Map([["work_mem", "7MB"]]),
    origin: "",
  };
  const first = await run(pooler, caller, SHOW, RESERVE);
  expect(first.value).toMatch(/^alice 7MB /);
  const id = first.id ?? 0n;
  await run(pooler, caller, "set local work_mem = '9MB'", { type: "reserved", id });
  await pooler
    .getExecutor()
    .concludeTransaction(
      { target: undefined, caller, id, conclusion: "commit", chain: false, releases: [] },
      new RecordingSink(),
    );
  const after = await run(pooler, caller, SHOW, { type: "any" });
  expect(after.value).toBe(first.value);
  const plain = await run(pooler, { ...caller, settings: new Map() }, SHOW, { type: "any" });
  expect(plain.value).toMatch(/^alice 4MB /);
});

test("a setting that is refused reserves nothing", async () => {
  await using pooler = await servingPooler(databaseOf(postgres), { capacity: 1 });
  const caller: Caller = { user: "", settings: new Map([["work_mem", "much"]]), origin: "" };
  expect(await failureOf(run(pooler, caller, SHOW, RESERVE))).toMatchObject({
    diagnostic: { code: "22023" },
    reservation: undefined,
  });
  const plain = await run(pooler, { ...caller, settings: new Map() }, SHOW, { type: "any" });
  expect(plain.value).toMatch(/ 4MB /);
});

test("a sticky release resets the session, and the settings of the next request hold in it", async () => {
  await using pooler = await servingPooler(databaseOf(postgres), { capacity: 1 });
  await postgres.sql("create sequence numbers; grant usage on sequence numbers to pg_monitor");
  const startup = new Map([["application_name", "psql"]]);
  const set = new Map([...startup, ["work_mem", "7MB"], ["role", "pg_monitor"]]);
  const before: Caller = { user: "", settings: set, origin: "" };
  const after: Caller = { ...before, settings: startup };
  const show =
    "select concat_ws(' ', current_user, current_setting('work_mem'), current_setting('application_name'))";
  const { id = 0n, value } = await run(pooler, before, `select setseed(0.5); ${show}`, {
    type: "reserve",
    reasons: ReservationReason.SetSeed,
  });
  const inSession: Place = { type: "reserved", id };
  expect(value).toBe("");
  expect((await run(pooler, before, show, inSession)).value).toBe("pg_monitor 7MB psql");
  await run(pooler, before, "select nextval('numbers')", inSession);
  const executor = pooler.getExecutor();
  const release = { target: undefined, caller: before, id };
  const kept = await executor.releaseReservation({ ...release, keepsSticky: true });
  expect(kept.reservation).toMatchObject({ id, reasons: ReservationReason.SetSeed });
  expect((await run(pooler, after, show, inSession)).value).toBe("postgres 4MB psql");
  expect(await failureOf(run(pooler, after, "select lastval()", inSession))).toMatchObject({
    diagnostic: { code: "55000" },
  });
  await executor.releaseReservation({ ...release, caller: after, keepsSticky: false });
  const plain = { ...after, settings: new Map<string, string>() };
  expect((await run(pooler, plain, show, { type: "any" })).value).toMatch(/^postgres 4MB multip/);
});
