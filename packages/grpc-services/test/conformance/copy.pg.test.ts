import type { CopyBidiExecuteResponse } from "@multipooler/proto/multipoolerservice";
import { beforeAll, beforeEach, expect, test } from "vitest";
import {
  Answered,
  beginCopy,
  copyIn,
  copyOut,
  Direction,
  Phase,
  say,
  sendData,
} from "./copying.ts";
import { onState, shapeOf } from "./result-reading.ts";
import { useScene } from "./scene.ts";

const TRANSACTION = 1;
const TEMP_TABLE = 2;
const COPY = 8;
const CANCELLED = 1;
const UNKNOWN = 2;
const INVALID_ARGUMENT = 3;
const ABORTED = 10;
const BEGIN = { reasons: TRANSACTION, beginQuery: "begin;" };
const IN = { query: "copy copied from stdin", direction: Direction.FromStdin };

const scene = useScene();

beforeAll(async () => {
  await scene.postgres.sql("create table copied (id int primary key, t text)");
  await scene.postgres.sql(`create function tell() returns trigger language plpgsql as
    $$ begin raise notice 'got %', new.id; return new; end $$`);
  await scene.postgres.sql("create table telling (id int check (id < 10))");
  await scene.postgres.sql(
    "create trigger tells before insert on telling for each row execute function tell()",
  );
});

beforeEach(async () => {
  await scene.postgres.sql("truncate copied, telling");
});

async function ids(): Promise<readonly unknown[]> {
  const rows = await scene.postgres.sql("select id from copied order by id");
  return rows.map(({ id }) => id);
}

/** Nobody is in the middle of a COPY or a transaction. */
async function untilQuiet(): Promise<void> {
  const busy = `select query from pg_stat_activity where backend_type = 'client backend'
    and pid <> pg_backend_pid() and state <> 'idle'`;
  await expect.poll(() => scene.postgres.sql(busy)).toEqual([]);
}

test("IN text: READY with the formats and reason 8, RESULT without a state", async () => {
  const { messages, code } = await copyIn(scene.gateway, IN, "1\ta\n2\tb\n");
  expect(code).toBe(0);
  expect(messages).toMatchObject([
    {
      phase: Answered.Ready,
      format: 0,
      columnFormats: [0, 0],
      reservedState: { reservationReasons: COPY, poolerId: { name: "a" } },
    },
    { phase: Answered.Result, result: { commandTag: "COPY 2", rowsAffected: 2n } },
  ]);
  expect(messages[1]?.reservedState).toBeUndefined();
  expect(await ids()).toEqual([1, 2]);
});

test("IN binary", async () => {
  const header = Buffer.from("PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0", "latin1");
  const row = Buffer.from([0, 2, 0, 0, 0, 4, 0, 0, 0, 7, 0, 0, 0, 1, 0x78]);
  const call = beginCopy(scene.gateway, {
    ...IN,
    query: "copy copied from stdin (format binary)",
  });
  expect(await call.next()).toMatchObject({ format: 1, columnFormats: [1, 1] });
  sendData(call, Buffer.concat([header, row, Buffer.from([0xff, 0xff])]));
  const { messages } = await say(call, { phase: Phase.Done }).halfClose().answer();
  expect(messages).toMatchObject([{ phase: Answered.Result, result: { commandTag: "COPY 1" } }]);
  expect(await ids()).toEqual([7]);
});

test("IN: many chunks, cut anywhere, `\\.` included, DONE with data", async () => {
  const lines = Array.from({ length: 10_000 }, (_, id) => `${id}\tx\n`).join("");
  const call = beginCopy(scene.gateway, IN);
  await call.next();
  for (let at = 0; at < lines.length; at += 7) {
    sendData(call, lines.slice(at, at + 7));
  }
  say(call, { phase: Phase.Done, data: Buffer.from("10000\tlast\n\\.\n") });
  const { messages } = await call.halfClose().answer();
  expect(messages).toMatchObject([{ result: { commandTag: "COPY 10001" } }]);
});

test("IN: FAIL", async () => {
  const call = beginCopy(scene.gateway, IN);
  await call.next();
  sendData(call, "1\ta\n");
  say(call, { phase: Phase.Fail, errorMessage: "enough" });
  const { messages, code, text } = await call.halfClose().answer();
  expect(messages).toMatchObject([{ phase: Answered.Error, reservedState: undefined }]);
  expect({ code, text }).toEqual({ code: ABORTED, text: "COPY aborted: enough" });
  expect(await ids()).toEqual([]);
  await untilQuiet();
});

test("IN: half-close", async () => {
  const call = beginCopy(scene.gateway, IN);
  await call.next();
  const { code } = await sendData(call, "1\ta\n").halfClose().answer();
  expect(code).not.toBe(0);
  expect(await ids()).toEqual([]);
  await untilQuiet();
});

test("IN: bad data error at DONE with notices", async () => {
  const query = "copy telling from stdin";
  const { messages, ...end } = await copyIn(scene.gateway, { query }, "1\n", "2\n", "11\n");
  expect(messages.at(-1)).toMatchObject({
    phase: Answered.Error,
    errorDiagnostic: { code: "23514" },
    notices: [{ message: "got 1" }, { message: "got 2" }, { message: "got 11" }],
    reservedState: undefined,
  });
  expect(end).toMatchObject({ code: UNKNOWN, rpcError: { pgDiagnostic: { code: "23514" } } });
  await untilQuiet();
});

test("IN: inside transaction", async () => {
  const { messages } = await copyIn(scene.gateway, { ...IN, reservationOptions: BEGIN }, "1\ta\n");
  expect(messages).toMatchObject([
    { reservedState: { reservationReasons: TRANSACTION | COPY } },
    { phase: Answered.Result, reservedState: { reservationReasons: TRANSACTION } },
  ]);
  const options = reservedBy(messages);
  const bad = await copyIn(scene.gateway, { ...IN, options }, "bad\tb\n");
  expect(bad.messages.at(-1)).toMatchObject({
    phase: Answered.Error,
    errorDiagnostic: { code: "22P02" },
    reservedState: { reservationReasons: TRANSACTION },
  });
  const concluded = await scene.gateway.conclude({ options, conclusion: 2 });
  expect(concluded).toMatchObject({ code: 0, messages: [{ result: { commandTag: "ROLLBACK" } }] });
  expect(await ids()).toEqual([]);
});

test("rejected COPY keeps reservation", async () => {
  const made = await scene.gateway.streamExecute({
    query: "create temp table kept (x int)",
    reservationOptions: { reasons: TEMP_TABLE },
  });
  const options = onState(made);
  const rejected = await copyIn(scene.gateway, { query: "copy nowhere from stdin", options });
  expect(rejected.messages).toMatchObject([
    {
      phase: Answered.Error,
      errorDiagnostic: { code: "42P01" },
      reservedState: { ...options, reservationReasons: TEMP_TABLE },
    },
  ]);
  expect(rejected).toMatchObject({ code: UNKNOWN, rpcError: { pgDiagnostic: { code: "42P01" } } });
  const still = await scene.gateway.streamExecute({ query: "table kept", options });
  expect(shapeOf(still)).toEqual(["SELECT 0", "state"]);
  await scene.gateway.release({ options });
});

// Go's pooler keeps nothing here. The gateway takes what it is told, as for any other statement.
test("rejected COPY keeps the transaction that was begun for it, aborted", async () => {
  const rejected = await copyIn(scene.gateway, {
    query: "copy nowhere from stdin",
    reservationOptions: BEGIN,
  });
  expect(rejected.messages).toMatchObject([
    { phase: Answered.Error, reservedState: { reservationReasons: TRANSACTION } },
  ]);
  const options = reservedBy(rejected.messages);
  const aborted = await scene.gateway.streamExecute({ query: "select 1", options });
  expect(aborted.rpcError?.pgDiagnostic?.code).toBe("25P02");
  await scene.gateway.release({ options });
  await untilQuiet();
});

test("OUT 1:1 frames, notices", async () => {
  await scene.postgres.sql(`create function noisy(n int) returns int language plpgsql as
    $$ begin raise notice 'row %', n; return n; end $$`);
  const { messages, code } = await copyOut(scene.gateway, {
    query: "copy (select noisy(n) from generate_series(1, 3) n) to stdout",
  });
  expect(code).toBe(0);
  expect(messages.map(({ phase }) => phase)).toEqual([
    Answered.Ready,
    ...Array<number>(6).fill(Answered.Data),
    Answered.Result,
  ]);
  expect(
    messages.slice(1, -1).map(({ data, notices }) => notices[0]?.message ?? textOf(data)),
  ).toEqual(["row 1", "1\n", "row 2", "2\n", "row 3", "3\n"]);
  expect(messages.at(-1)).toMatchObject({ result: { commandTag: "COPY 3" } });
  expect(messages.at(-1)?.reservedState).toBeUndefined();
});

test("OUT: error mid-way", async () => {
  const { messages, ...end } = await copyOut(scene.gateway, {
    query: "copy (select 1 / (3 - n) from generate_series(1, 5) n) to stdout",
    reservationOptions: BEGIN,
  });
  expect(messages.map(({ phase }) => phase)).toEqual([
    Answered.Ready,
    Answered.Data,
    Answered.Data,
    Answered.Error,
  ]);
  expect(messages.at(-1)).toMatchObject({
    errorDiagnostic: { code: "22012" },
    reservedState: { reservationReasons: TRANSACTION },
  });
  expect(end).toMatchObject({ code: UNKNOWN, rpcError: { pgDiagnostic: { code: "22012" } } });
  await scene.gateway.release({ options: reservedBy(messages) });
  await untilQuiet();
});

test("OUT: cancel ends the reservation", async () => {
  const begun = await scene.gateway.streamExecute({
    query: "select 1",
    reservationOptions: BEGIN,
  });
  const options = onState(begun);
  const call = beginCopy(scene.gateway, {
    query: "copy (select repeat('x', 1000) from generate_series(1, 1000000)) to stdout",
    direction: Direction.ToStdout,
    options,
  });
  expect((await call.next())?.phase).toBe(Answered.Ready);
  expect((await call.next())?.phase).toBe(Answered.Data);
  call.cancel();
  expect(await call.ended).toMatchObject({ code: CANCELLED });
  await untilQuiet();
  const after = await scene.gateway.streamExecute({ query: "select 1", options });
  expect(after.rpcError?.pgDiagnostic?.code).toBe("40001");
});

test("IN: cancel ends the reservation", async () => {
  const begun = await scene.gateway.streamExecute({
    query: "select 1",
    reservationOptions: BEGIN,
  });
  const options = onState(begun);
  const call = beginCopy(scene.gateway, { ...IN, options });
  await call.next();
  sendData(call, "1\ta\n").cancel();
  await call.ended;
  await untilQuiet();
  const after = await scene.gateway.streamExecute({ query: "select 1", options });
  expect(after.rpcError?.pgDiagnostic?.code).toBe("40001");
  expect(await ids()).toEqual([]);
});

test("what is no INITIATE is refused where one has to come", async () => {
  const { code, text: words } = await beginCopy(scene.gateway, { phase: Phase.Data })
    .halfClose()
    .answer();
  expect(code).toBe(INVALID_ARGUMENT);
  expect(words).toMatch(/^expected INITIATE, got /);
});

function textOf(data: Uint8Array): string {
  return Buffer.from(data).toString();
}

/** The options of a call on what the last message has left reserved. */
function reservedBy(messages: readonly CopyBidiExecuteResponse[]): {
  readonly reservedConnectionId: bigint;
} {
  return { reservedConnectionId: messages.at(-1)?.reservedState?.reservedConnectionId ?? 0n };
}
