import {
  encodeCommandTag,
  encodeCopyData,
  encodeCopyFormats,
  encodeDiagnostic,
  encodeParameterStatus,
} from "@multipooler/query-service";
import type { Reservation } from "@multipooler/query-service";
import {
  CopyBidiExecuteRequest_Direction as Direction,
  CopyBidiExecuteRequest_Phase as Phase,
} from "@multipooler/proto/multipoolerservice";
import fc from "fast-check";
import { expect, test } from "vitest";
import type { CopyBidiExecuteInput } from "../src/client/index.ts";
import { copyCall, CountingCopies } from "./copy-calls.ts";
import { FakePoolerError } from "./fake-manager.ts";
import { startServer } from "./test-server.ts";

const RESERVATION: Reservation = { id: 2n ** 63n + 7n, reasons: 9, backendProcessId: 4711 };
const STATE = {
  reservedConnectionId: 2n ** 63n + 7n,
  poolerId: { component: 1, cell: "zone1", name: "abc12345" },
  reservationReasons: 9,
  backendProcessId: 4711,
};

function data(text: string): CopyBidiExecuteInput {
  return { phase: Phase.DATA, data: Buffer.from(text) };
}

function notice(message: string): Uint8Array {
  return encodeDiagnostic({ kind: "notice", severity: "NOTICE", code: "00000", message });
}

test("a COPY from the client: everything reaches the controller, and READY and RESULT the client", async () => {
  await using pooler = await startServer();
  const copies = new CountingCopies(RESERVATION);
  pooler.manager.copies = copies;
  const { responses, error } = await copyCall(
    pooler.client,
    [
      {
        phase: Phase.INITIATE,
        direction: Direction.FROM_STDIN,
        query: "copy t from stdin",
        target: { shardKey: { database: "db", tableGroup: "default", shard: "0-inf" }, mode: 1 },
        options: { user: "alice", sessionSettings: { work_mem: "1MB" } },
        reservationOptions: { reasons: 1, beginQuery: "begin;" },
      },
      data("1\n"),
      data("22\n"),
      { phase: Phase.DONE, data: Buffer.from("333\n") },
    ],
    { staysOpen: true },
  );
  expect(error).toBeUndefined();
  expect(copies.requests).toMatchObject([
    {
      target: { database: "db", mode: "WRITABLE" },
      caller: { user: "alice", settings: new Map([["work_mem", "1MB"]]) },
      place: { type: "reserve", reasons: 1, begin: "begin;" },
      sql: "copy t from stdin",
    },
  ]);
  expect(responses).toMatchObject([
    { phase: 0, format: 0, columnFormats: [0, 1], reservedState: STATE },
    { phase: 2, result: { commandTag: "COPY 9", rowsAffected: 9n }, reservedState: STATE },
  ]);
});

test("a COPY to the client has a message for each row, notices between them, and settings behind", async () => {
  await using pooler = await startServer();
  const long = Buffer.alloc(3_000_000, "x");
  pooler.manager.copies.copyOut = async (_request, sink) => {
    const row = (text: string): Uint8Array => encodeCopyData(Buffer.from(text));
    const whole = encodeCopyData(long);
    const bytes = encodeCopyFormats("out", { format: 1, columnFormats: [1] });
    await sink.write({ type: "notice", bytes: notice("early") });
    await sink.write({ type: "started", bytes, reservation: undefined });
    const run = Buffer.concat([row("a"), row(""), row("bc")]);
    await sink.write({ type: "data", bytes: run, inProgress: false });
    await sink.write({ type: "notice", bytes: notice("between") });
    await sink.write({ type: "data", bytes: whole.subarray(0, 2_000_000), inProgress: true });
    await sink.write({ type: "data", bytes: whole.subarray(2_000_000), inProgress: false });
    await sink.write({ type: "data", bytes: row("d"), inProgress: false });
    const changed = encodeParameterStatus({ name: "TimeZone", value: "UTC" });
    await sink.write({ type: "parameterStatus", bytes: changed });
    await sink.write({ type: "complete", bytes: encodeCommandTag("COPY 5") });
    return { reservation: undefined };
  };
  const { responses } = await copyCall(pooler.client, [
    { phase: Phase.INITIATE, direction: Direction.TO_STDOUT, query: "copy t to stdout" },
  ]);
  expect(responses[0]).toMatchObject({
    phase: 0,
    format: 1,
    columnFormats: [1],
    reservedState: undefined,
    notices: [{ message: "early" }],
  });
  expect(
    responses
      .slice(1, -1)
      .map(({ data: bytes, notices }) => notices[0]?.message ?? Buffer.from(bytes).toString()),
  ).toEqual(["a", "", "bc", "between", long.toString(), "d"]);
  expect(responses.at(-1)).toMatchObject({
    phase: 2,
    result: { commandTag: "COPY 5", rowsAffected: 5n, parameterStatus: { TimeZone: "UTC" } },
  });
});

test("a row that no message can hold comes in pieces", async () => {
  await using pooler = await startServer({ maxMessageBytes: 1_048_576 });
  const whole = encodeCopyData(Buffer.alloc(3_000_000, "x"));
  pooler.manager.copies.copyOut = async (_request, sink) => {
    for (let start = 0; start < whole.length; start += 700_000) {
      const bytes = whole.subarray(start, start + 700_000);
      const inProgress = start + 700_000 < whole.length;
      await sink.write({ type: "data", bytes, inProgress });
    }
    return { reservation: undefined };
  };
  const { responses, error } = await copyCall(pooler.client, [{ direction: Direction.TO_STDOUT }]);
  expect(error).toBeUndefined();
  const sizes = responses.slice(0, -1).map(({ data: bytes }) => bytes.length);
  expect(sizes.reduce((sum, size) => sum + size, 0)).toBe(3_000_000);
});

test("an error says what stays reserved and what PostgreSQL said, before the status that says it too", async () => {
  await using pooler = await startServer();
  pooler.manager.copies.copyIn = async (_request, _source, sink) => {
    await sink.write({ type: "notice", bytes: notice("a row") });
    throw new FakePoolerError(
      "DATABASE_ERROR",
      "no",
      { kind: "error", severity: "ERROR", code: "22P02", message: "invalid input" },
      { reservation: { ...RESERVATION, reasons: 1 } },
    );
  };
  const { responses, error } = await copyCall(pooler.client, [
    { phase: Phase.INITIATE },
    data("x"),
  ]);
  expect(responses).toMatchObject([
    {
      phase: 3,
      error: "no",
      errorDiagnostic: { code: "22P02", message: "invalid input" },
      reservedState: { ...STATE, reservationReasons: 1 },
      notices: [{ message: "a row" }],
    },
  ]);
  expect(error).toMatchObject({ code: "UNKNOWN", diagnostic: { code: "22P02" } });
});

test("a client that has its COPY fail gets ABORTED, with its own reason or a given one", async () => {
  await using pooler = await startServer();
  pooler.manager.copies = new CountingCopies();
  for (const [errorMessage, reason] of [
    ["my reason", "my reason"],
    ["", "operation aborted by client"],
  ] as const) {
    const { responses, error } = await copyCall(pooler.client, [
      { phase: Phase.INITIATE },
      { phase: Phase.FAIL, errorMessage },
    ]);
    expect(responses[1]).toMatchObject({ phase: 3, error: `COPY aborted: ${reason}` });
    expect(error).toMatchObject({ code: "ABORTED", message: `COPY aborted: ${reason}` });
  }
  expect(pooler.log).toEqual([]);
});

test("notices of which there are too many are counted, and their number is told", async () => {
  await using pooler = await startServer();
  const text = "n".repeat(100_000);
  pooler.manager.copies.copyIn = async (_request, _source, sink) => {
    for (let count = 0; count < 30; count += 1) {
      await sink.write({ type: "notice", bytes: notice(text) });
    }
    await sink.write({ type: "complete", bytes: encodeCommandTag("COPY 30") });
    return { reservation: undefined };
  };
  const { responses } = await copyCall(pooler.client, [{ phase: Phase.INITIATE }]);
  expect(responses[0]?.notices).toHaveLength(11);
  expect(responses[0]?.notices.at(-1)).toMatchObject({
    severity: "WARNING",
    message: "20 further notices were left out",
  });
});

test("a controller that has no COPY answers so", async () => {
  await using pooler = await startServer();
  for (const direction of [Direction.FROM_STDIN, Direction.TO_STDOUT]) {
    const { phases, error } = await copyCall(pooler.client, [{ direction }]);
    expect(phases).toEqual(["ERROR"]);
    expect(error?.code).toBe("UNIMPLEMENTED");
  }
});

test("a client that sends more than the controller takes is held up", async () => {
  await using pooler = await startServer();
  const goOn = Promise.withResolvers<void>();
  let sent = 0;
  pooler.manager.copies.copyIn = async (_request, source, sink) => {
    await source.next();
    await goOn.promise;
    await sink.write({ type: "complete", bytes: encodeCommandTag("COPY 1") });
    return { reservation: undefined };
  };
  async function* requests(): AsyncGenerator<CopyBidiExecuteInput, void, void> {
    yield { phase: Phase.INITIATE };
    const piece = Buffer.alloc(1_000_000);
    for (; sent < 100; sent += 1) {
      yield { phase: Phase.DATA, data: piece };
    }
  }
  const answers = pooler.client.copyBidiExecute(requests())[Symbol.asyncIterator]();
  const first = answers.next();
  await expect.poll(() => sent).toBeGreaterThan(10);
  // What grpc-js of the client takes before it complains, and what is on its way.
  expect(sent).toBeLessThan(40);
  goOn.resolve();
  expect(await first).toMatchObject({ value: { phase: 2 } });
  await answers.return?.();
});

test("a cancelled call aborts its COPY, and leaves nothing", async () => {
  await using pooler = await startServer();
  const cancel = new AbortController();
  const aborted = Promise.withResolvers<unknown>();
  pooler.manager.copies.copyIn = async (_request, source, sink, { signal } = {}) => {
    const bytes = encodeCopyFormats("in", { format: 0, columnFormats: [] });
    await sink.write({ type: "started", bytes, reservation: undefined });
    signal?.addEventListener("abort", () => aborted.resolve(signal.reason));
    await source.next().catch(() => undefined);
    await aborted.promise;
    throw new FakePoolerError("CANCELLED", "the call was cancelled");
  };
  async function* requests(): AsyncGenerator<CopyBidiExecuteInput, void, void> {
    yield { phase: Phase.INITIATE };
    await aborted.promise;
  }
  const answers = pooler.client.copyBidiExecute(requests(), { signal: cancel.signal });
  const iterator = answers[Symbol.asyncIterator]();
  await iterator.next();
  cancel.abort();
  await expect(iterator.next()).rejects.toMatchObject({ code: "CANCELLED" });
  expect(await aborted.promise).toMatchObject({ name: "AbortError" });
  expect(pooler.log).toEqual([]);
});

test("a client that says nothing until its deadline is told so, and nobody else", async () => {
  await using pooler = await startServer();
  const said = Promise.withResolvers<void>();
  async function* late(): AsyncGenerator<CopyBidiExecuteInput, void, void> {
    await said.promise;
    yield { phase: Phase.INITIATE };
  }
  const answers = pooler.client.copyBidiExecute(late(), { timeoutMs: 200 });
  await expect(Array.fromAsync(answers)).rejects.toMatchObject({ code: "DEADLINE_EXCEEDED" });
  said.resolve();
  expect(pooler.log).toEqual([]);
});

/** What a call has to come to, however its messages are put together. */
interface Expected {
  readonly code: string | undefined;
  readonly bytes: number;
  readonly phases: readonly string[];
}

function expectedOf(requests: readonly CopyBidiExecuteInput[]): Expected {
  const [first, ...others] = requests;
  if (first?.phase !== Phase.INITIATE || first.direction === Direction.UNRECOGNIZED) {
    return { code: "INVALID_ARGUMENT", bytes: 0, phases: [] };
  }
  if (first.direction === Direction.TO_STDOUT) {
    return { code: undefined, bytes: 0, phases: ["READY", "RESULT"] };
  }
  let bytes = 0;
  for (const { phase, data: piece } of others) {
    switch (phase) {
      case Phase.DATA:
        bytes += piece?.length ?? 0;
        break;
      case Phase.DONE:
        return {
          code: undefined,
          bytes: bytes + (piece?.length ?? 0),
          phases: ["READY", "RESULT"],
        };
      case Phase.FAIL:
        return { code: "ABORTED", bytes, phases: ["READY", "ERROR"] };
      default:
        return { code: "INVALID_ARGUMENT", bytes, phases: ["READY", "ERROR"] };
    }
  }
  return { code: "INTERNAL", bytes, phases: ["READY", "ERROR"] };
}

test("messages in any order come to a result or to a typed error", async () => {
  await using pooler = await startServer();
  const anyRequest = fc.record({
    phase: fc.constantFrom(
      Phase.INITIATE,
      Phase.DATA,
      Phase.DATA,
      Phase.DATA,
      Phase.DONE,
      Phase.FAIL,
      Phase.UNRECOGNIZED,
    ),
    direction: fc.constantFrom(
      Direction.FROM_STDIN,
      Direction.FROM_STDIN,
      Direction.TO_STDOUT,
      Direction.UNRECOGNIZED,
    ),
    data: fc.uint8Array({ maxLength: 40 }),
  });
  const begun = fc.constant({
    phase: Phase.INITIATE,
    direction: Direction.FROM_STDIN,
    data: new Uint8Array(),
  });
  const sequences = fc.oneof(
    fc.array(anyRequest, { maxLength: 6 }),
    fc
      .tuple(begun, fc.array(anyRequest, { maxLength: 6 }))
      .map(([first, more]) => [first, ...more]),
  );
  await fc.assert(
    fc.asyncProperty(sequences, async (requests) => {
      const copies = new CountingCopies();
      pooler.manager.copies = copies;
      const { phases, error } = await copyCall(pooler.client, requests);
      const expected = expectedOf(requests);
      expect({ code: error?.code, bytes: copies.bytes, phases }).toEqual(expected);
    }),
    { numRuns: 200 },
  );
  expect(pooler.log).toEqual([]);
});
