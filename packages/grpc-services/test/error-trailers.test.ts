import { PoolerErrorCode, encodeFields } from "@multipooler/query-service";
import type { Diagnostic } from "@multipooler/query-service";
import type { RPCError } from "@multipooler/proto/mtrpc";
import { StreamExecuteRequest, StreamExecuteResponse } from "@multipooler/proto/multipoolerservice";
import { PgDiagnostic } from "@multipooler/proto/query";
import { expect, test } from "vitest";
import { diagnosticMessage } from "../src/query/diagnostic-message.ts";
import { dataRow, textFields } from "./data-rows.ts";
import { FakePoolerError } from "./fake-manager.ts";
import { RawClient, statusDetails } from "./raw-call.ts";
import { startServer } from "./test-server.ts";

const EXECUTE_QUERY = "/multipoolerservice.MultipoolerService/ExecuteQuery";
const STREAM_EXECUTE = "/multipoolerservice.MultipoolerService/StreamExecute";
const SUFFIX =
  " [...] [remainder of the error is truncated because gRPC has a size limit on errors.]";

interface Expected {
  /** The gRPC code. */
  readonly status: number;
  /** The code of the RPCError. */
  readonly code: number;
  readonly diagnostic?: Partial<PgDiagnostic>;
}

/** For what has not reached the database: safe to retry elsewhere. */
const UNAVAILABLE: Expected = {
  status: 2,
  code: 19,
  diagnostic: {
    code: "57P03",
    message: "database is temporarily unavailable; please retry",
    hint: "it broke",
  },
};

/** What a client sees of each error of a controller that has no diagnostic of its own. */
const EXPECTED: Readonly<Record<PoolerErrorCode, Expected>> = {
  NOT_INITIALIZED: UNAVAILABLE,
  NOT_OPEN: UNAVAILABLE,
  NOT_SERVING: {
    status: 2,
    code: 2,
    diagnostic: {
      code: "MTF01",
      message: "planned failover in progress",
      detail:
        "The pooler is transitioning during a planned failover. " +
        "The query will be retried automatically.",
      hint: "it broke",
    },
  },
  WRONG_TARGET: {
    status: 2,
    code: 2,
    diagnostic: {
      code: "MTD01",
      message: "[BUG] it broke",
      detail:
        "A query reached a pooler of another shard, which is a fault of its router. " +
        "Please report it at https://github.com/multigres/multigres/issues/new/choose.",
    },
  },
  INVALID_ARGUMENT: { status: 3, code: 3 },
  UNIMPLEMENTED: { status: 12, code: 12 },
  READ_ONLY: { status: 2, code: 2, diagnostic: { code: "25006", message: "it broke" } },
  RESERVATION_LOST: {
    status: 2,
    code: 2,
    diagnostic: {
      code: "40001",
      message: "reserved connection terminated; please retry",
      detail: "it broke",
    },
  },
  POOL_EXHAUSTED: { status: 2, code: 2, diagnostic: { code: "53300", message: "it broke" } },
  PRE_EXECUTION_UNAVAILABLE: UNAVAILABLE,
  AUTHENTICATION_FAILED: { status: 2, code: 2, diagnostic: { code: "28000", message: "it broke" } },
  CONNECTION_LOST: { status: 2, code: 2, diagnostic: { code: "08006", message: "it broke" } },
  DATABASE_ERROR: { status: 2, code: 2, diagnostic: { code: "XX000", message: "it broke" } },
  SUBSCRIBER_BEHIND: { status: 8, code: 8, diagnostic: { code: "53400", message: "it broke" } },
  CANCELLED: { status: 1, code: 1 },
  DEADLINE_EXCEEDED: { status: 4, code: 4 },
  INTERNAL: { status: 13, code: 13 },
};
const CODES = Object.values(PoolerErrorCode);

const FROM_DATABASE: Diagnostic = {
  kind: "error",
  severity: "FATAL",
  code: "57P01",
  message: "terminating connection due to administrator command",
  detail: "détail",
  hint: "hint",
  position: 12,
  internalPosition: 3,
  internalQuery: "select 1",
  where: "PL/pgSQL function f() line 1",
  schemaName: "public",
  tableName: "t",
  columnName: "c",
  dataTypeName: "int4",
  constraintName: "t_pkey",
};

interface Answer {
  readonly code: number;
  readonly text: string;
  readonly rpcError: RPCError | undefined;
}

/** The status of a call to a pooler that fails with `error`. */
async function failure(error: unknown, path = STREAM_EXECUTE): Promise<Answer> {
  await using pooler = await startServer();
  pooler.manager.execute = async () => {
    throw error;
  };
  using client = new RawClient(pooler.address);
  const { messages, status } = await client.call(path, new Uint8Array());
  expect(messages).toEqual([]);
  const details = statusDetails(status);
  if (details !== undefined) {
    expect(details.status).toMatchObject({ code: status.code, message: status.details });
    expect(details.rpcError.message).toBe(status.details);
  }
  return { code: status.code, text: status.details, rpcError: details?.rpcError };
}

test.each(CODES)(
  "%s without a diagnostic arrives with code, text and fixed diagnostic",
  async (code) => {
    const expected = EXPECTED[code];
    const answer = await failure(new FakePoolerError(code, "it broke"));
    expect(answer).toEqual({
      code: expected.status,
      text: "it broke",
      rpcError: {
        code: expected.code,
        message: "it broke",
        pgDiagnostic:
          expected.diagnostic === undefined
            ? undefined
            : PgDiagnostic.fromPartial({
                messageType: 69,
                severity: "ERROR",
                ...expected.diagnostic,
              }),
      },
    });
  },
);

test.each(CODES)("%s with a diagnostic of PostgreSQL carries every field of it", async (code) => {
  const answer = await failure(new FakePoolerError(code, "it broke", FROM_DATABASE));
  expect(answer.code).toBe(EXPECTED[code].status);
  expect(answer.rpcError?.code).toBe(EXPECTED[code].code);
  expect(answer.rpcError?.pgDiagnostic).toEqual(diagnosticMessage(FROM_DATABASE));
});

test("ExecuteQuery fails with the same status as a stream", async () => {
  const error = new FakePoolerError("DATABASE_ERROR", "it broke", FROM_DATABASE);
  expect(await failure(error, EXECUTE_QUERY)).toEqual(await failure(error, STREAM_EXECUTE));
});

test("the text of the status says what caused the error, each message once", async () => {
  const socket = new Error("connect ECONNREFUSED 127.0.0.1:5432");
  const dial = new Error("cannot dial", { cause: socket });
  const error = new FakePoolerError("PRE_EXECUTION_UNAVAILABLE", "no backend", undefined, {
    cause: dial,
  });
  const { text } = await failure(error);
  expect(text).toBe("no backend: cannot dial: connect ECONNREFUSED 127.0.0.1:5432");
  const repeated = new FakePoolerError("NOT_OPEN", "no backend: cannot dial", undefined, {
    cause: dial,
  });
  expect((await failure(repeated)).text).toBe(text);
});

test("causes that go round in circles end", async () => {
  const error = new FakePoolerError("INTERNAL", "outer");
  error.cause = new Error("inner", { cause: error });
  expect((await failure(error)).text).toBe("outer: inner");
});

const unknownErrors: readonly (readonly [what: string, error: unknown])[] = [
  ["an ordinary error", new Error("secret")],
  ["something that is no error", "secret"],
  [
    "an error with a code that does not exist",
    Object.assign(new Error("secret"), { name: "PoolerError", code: "NEW", diagnostic: undefined }),
  ],
];

test.each(unknownErrors)(
  "%s becomes INTERNAL with a text that gives nothing away, and is logged",
  async (_what, error) => {
    await using pooler = await startServer();
    pooler.manager.execute = async () => {
      throw error;
    };
    using client = new RawClient(pooler.address);
    const { status } = await client.call(STREAM_EXECUTE, new Uint8Array());
    expect(status).toMatchObject({ code: 13, details: "internal error" });
    expect(statusDetails(status)?.rpcError).toEqual({ code: 13, message: "internal error" });
    expect(pooler.log).toEqual([
      [
        "error",
        "a call failed for an internal reason",
        { err: error, method: "multipoolerservice.MultipoolerService/StreamExecute" },
      ],
    ]);
  },
);

test("what PostgreSQL reported is not logged: it is the client's business", async () => {
  await using pooler = await startServer();
  pooler.manager.execute = async () => {
    throw new FakePoolerError("DATABASE_ERROR", "it broke", FROM_DATABASE);
  };
  using client = new RawClient(pooler.address);
  await client.call(STREAM_EXECUTE, new Uint8Array());
  expect(pooler.log).toEqual([]);
});

test("a controller that has no executor answers like one that fails", async () => {
  await using pooler = await startServer();
  pooler.manager.refusal = new FakePoolerError("NOT_OPEN", "PostgreSQL refuses connections");
  using client = new RawClient(pooler.address);
  const { status } = await client.call(EXECUTE_QUERY, new Uint8Array());
  expect(status).toMatchObject({ code: 2, details: "PostgreSQL refuses connections" });
  expect(statusDetails(status)?.rpcError.code).toBe(19);
});

test("a text of more than 7,680 bytes is cut between characters", async () => {
  const { text, rpcError } = await failure(
    new FakePoolerError("INVALID_ARGUMENT", "é".repeat(5000)),
  );
  expect(text).toBe("é".repeat(3840) + SUFFIX);
  expect(rpcError?.message).toBe(text);
});

test("the largest error that there can be arrives as a status, its short fields whole", async () => {
  const text = "\u20ac\n%".repeat(40_000);
  const diagnostic: Diagnostic = {
    ...FROM_DATABASE,
    message: text,
    detail: text,
    hint: text,
    internalQuery: text,
    where: text,
  };
  const answer = await failure(new FakePoolerError("DATABASE_ERROR", text, diagnostic));
  expect(answer.code).toBe(2);
  expect(answer.text.endsWith(SUFFIX)).toBe(true);
  const { pgDiagnostic } = answer.rpcError ?? {};
  expect(pgDiagnostic).toMatchObject({ code: "57P01", severity: "FATAL", tableName: "t" });
  for (const field of ["message", "detail", "hint", "internalQuery", "where"] as const) {
    const kept = pgDiagnostic?.[field] ?? "";
    expect(kept.endsWith(SUFFIX)).toBe(true);
    expect(text.startsWith(kept.slice(0, -SUFFIX.length))).toBe(true);
    expect(kept.length).toBeGreaterThan(800);
  }
});

test("a message of 10 KiB in a diagnostic arrives whole", async () => {
  const message = "x".repeat(10_240);
  const error = new FakePoolerError("DATABASE_ERROR", "it broke", { ...FROM_DATABASE, message });
  expect((await failure(error)).rpcError?.pgDiagnostic?.message).toBe(message);
});

test("a text with half of a surrogate pair arrives with a replacement for it", async () => {
  expect((await failure(new FakePoolerError("INVALID_ARGUMENT", "a\ud800b"))).text).toBe(
    "a\ufffdb",
  );
});

test("rows that came before an error arrive before it", async () => {
  await using pooler = await startServer();
  pooler.manager.execute = async (_request, sink) => {
    await sink.write({ type: "fields", bytes: encodeFields(textFields("a")) });
    await sink.write({ type: "rows", bytes: dataRow("1"), rowCount: 1, inProgress: false });
    throw new FakePoolerError("DATABASE_ERROR", "it broke", FROM_DATABASE);
  };
  using client = new RawClient(pooler.address);
  const request = StreamExecuteRequest.fromPartial({ options: { passthroughRow: true } });
  const bytes = StreamExecuteRequest.encode(request).finish();
  const { messages, status } = await client.call(STREAM_EXECUTE, bytes);
  const decoded = messages.map((message) => StreamExecuteResponse.decode(message).result?.payload);
  expect(decoded).toMatchObject([
    { $case: "result", value: { passthroughRowCount: 1, commandTag: "" } },
  ]);
  expect(statusDetails(status)?.rpcError.pgDiagnostic?.code).toBe("57P01");
});

test.each([[{ reservationOptions: { reasons: 0x100 } }, 3, "invalid reservation reasons: 0x100"]])(
  "a request of %j is refused with a plain status",
  async (request, code, text) => {
    await using pooler = await startServer();
    using client = new RawClient(pooler.address);
    const bytes = StreamExecuteRequest.encode(StreamExecuteRequest.fromPartial(request)).finish();
    const { status } = await client.call(STREAM_EXECUTE, bytes);
    expect(status.code).toBe(code);
    expect(status.details).toContain(text);
    expect(statusDetails(status)).toBeUndefined();
  },
);

test("bytes that are no request are refused, and fill no log", async () => {
  await using pooler = await startServer();
  using client = new RawClient(pooler.address);
  const { status } = await client.call(STREAM_EXECUTE, Buffer.from([0x0a, 0x05, 0x41]));
  expect(status).toMatchObject({
    code: 13,
    details: "the request of StreamExecute cannot be decoded",
  });
  expect(pooler.log).toEqual([]);
});
