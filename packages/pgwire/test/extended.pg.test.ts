import { decodeParameterTypes } from "@multipooler/query-service";
import type { ResultEvent } from "@multipooler/query-service";
import { startPostgres } from "@multipooler/test-postgres";
import type { TestPostgres } from "@multipooler/test-postgres";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { BackendConnection } from "../src/connection/backend-connection.ts";
import type { RequestEnd, SpanRequest } from "../src/connection/request.ts";
import { ExtendedUnit } from "../src/requests/extended-unit.ts";
import type { ExtendedStatement } from "../src/requests/extended-unit.ts";
import { RawUnit } from "../src/requests/raw-unit.ts";
import { ask, askRaw, queryMessage } from "./ask.ts";
import {
  commandComplete,
  cstring,
  dataRow,
  int16,
  int32,
  message,
  readyForQuery,
} from "./backend-messages.ts";
import { RecordingSink } from "./recording-sink.ts";

let postgres: TestPostgres;
let connection: BackendConnection;
beforeAll(async () => {
  postgres = await startPostgres();
  connection = await BackendConnection.connect({
    address: { type: "socket", path: postgres.socketPath },
    user: postgres.user,
    database: "postgres",
  });
});
afterAll(async () => {
  await connection.close();
  await postgres[Symbol.asyncDispose]();
});

type Prepared = Extract<ExtendedStatement, { type: "prepared" }>;

function prepared(sql: string, more: Partial<Prepared> = {}): Prepared {
  return {
    type: "prepared",
    sql,
    parameterTypes: [],
    parameters: [],
    parameterFormats: [],
    resultFormats: [],
    maxRows: 0,
    describe: true,
    ...more,
  };
}

async function run(
  statement: ExtendedStatement,
): Promise<{ readonly sink: RecordingSink; readonly end: RequestEnd }> {
  const { promise, resolve } = Promise.withResolvers<RequestEnd>();
  const sink = new RecordingSink();
  const event = (one: ResultEvent): undefined => sink.write(one);
  connection.send(new ExtendedUnit({ statement, receiver: { event, settle: resolve } }));
  return { sink, end: await promise };
}

const text = (value: string): Buffer => Buffer.from(value);

describe("a statement with parameters", () => {
  test.each<[string, Prepared, (string | null)[][]]>([
    ["text", prepared("select $1::text || 'ü'", { parameters: [text("ä€😀")] }), [["ä€😀ü"]]],
    [
      "NULL and nothing",
      prepared("select $1::int, $2::text", { parameters: [null, text("")] }),
      [[null, ""]],
    ],
    [
      "a given type",
      prepared("select pg_typeof($1)", { parameterTypes: [20], parameters: [text("1")] }),
      [["bigint"]],
    ],
    [
      "a value in binary",
      prepared("select $1::int4 + $2::int4", {
        parameters: [int32(41), int32(1)],
        parameterFormats: [1],
      }),
      [["42"]],
    ],
    [
      "formats one by one",
      prepared("select $1::int4 + $2::int4", {
        parameters: [int32(41), text("1")],
        parameterFormats: [1, 0],
      }),
      [["42"]],
    ],
    ["no parameter", prepared("select"), [[]]],
  ])("of %s", async (_case, statement, rows) => {
    const { sink, end } = await run(statement);
    expect(end).toMatchObject({ type: "ready", error: undefined, transactionStatus: "I" });
    expect(sink.types).toEqual(["fields", "rows", "complete"]);
    expect(sink.rows).toEqual(rows);
  });

  test("gives its result in the format that was asked for", async () => {
    const { sink } = await run(prepared("select 258::int4", { resultFormats: [1] }));
    expect(sink.rowBytes.subarray(-4)).toEqual(int32(258));
    expect(sink.transcript[0]).toMatchObject({ fields: [{ format: 1 }] });
  });

  test("is suspended at its limit", async () => {
    const { sink } = await run(
      prepared("select generate_series(1, 10)", { maxRows: 3, describe: false }),
    );
    expect(sink.types).toEqual(["rows", "suspended"]);
    expect(sink.rowCount).toBe(3);
  });

  test.each([
    ["selec", "42601"],
    ["select 1/0", "22012"],
    ["select $1::int", "08P01"],
  ])("that fails (%s) ends with the error, and the session goes on", async (sql, code) => {
    const { end } = await run(prepared(sql));
    expect(end).toMatchObject({ type: "ready", error: { code: "POSTGRES", diagnostic: { code } } });
    expect((await run(prepared("select 1"))).sink.rows).toEqual([["1"]]);
  });

  test("that is a COPY is refused, and the session goes on", async () => {
    await ask(connection, "create temp table t (a int)", new RecordingSink());
    for (const sql of ["copy t from stdin", "copy (select 1) to stdout"]) {
      const { sink, end } = await run(prepared(sql, { describe: false }));
      expect(end).toMatchObject({ type: "ready", error: { code: "UNSUPPORTED", sent: true } });
      expect(sink.types).toEqual([]);
      expect((await run(prepared("select 1"))).sink.rows).toEqual([["1"]]);
    }
    expect(connection.idle).toBe(true);
  });

  test("of 65,535 parameters", async () => {
    const parameters = Array.from({ length: 65_535 }, () => text("1"));
    const sql = `select ${parameters.map((_, index) => `$${index + 1}::int`).join("+")}`;
    const small = prepared(
      sql.replaceAll("+", ",").replace("select ", "select array_length(array[") + "], 1)",
      {
        parameters,
      },
    );
    const { sink, end } = await run(small);
    expect(end).toMatchObject({ error: undefined });
    expect(sink.rows).toEqual([["65535"]]);
  });
});

test("a statement that is only parsed yields nothing, or PostgreSQL's error", async () => {
  const parse = (sql: string): ExtendedStatement => ({ type: "parse", sql, parameterTypes: [23] });
  expect((await run(parse("select $1"))).sink.types).toEqual([]);
  expect((await run(parse("select nothing"))).end).toMatchObject({
    error: { diagnostic: { code: "42703" } },
  });
});

test.each<[string, Partial<Prepared>, string]>([
  ["a NUL character", { sql: "select '\0'" }, "NUL"],
  ["an OID that is none", { parameterTypes: [-1] }, "an OID of parameterTypes is -1"],
  ["an OID with a fraction", { parameterTypes: [1.5] }, "is 1.5; 0 to 4294967295"],
  [
    "too many parameters",
    { parameters: Array.from({ length: 65_536 }, () => null) },
    "65536; 0 to 65535",
  ],
  ["a format that is none", { resultFormats: [2] }, "a format is 2; 0 to 1"],
  [
    "formats for some",
    { parameters: [null, null, null], parameterFormats: [0, 0] },
    "2 parameterFormats for 3",
  ],
  ["a negative limit", { maxRows: -1 }, "maxRows is -1"],
])("%s is refused before anything is sent", (_case, more, problem) => {
  const receiver = { event: () => undefined, settle: () => undefined };
  const statement = prepared("select 1", more);
  expect(() => new ExtendedUnit({ statement, receiver })).toThrow(
    expect.objectContaining({
      code: "INVALID_ARGUMENT",
      message: expect.stringContaining(problem),
    }),
  );
});

describe("frontend messages as they are", () => {
  test("are answered with the bytes of the server", async () => {
    const parse = message("P", cstring(""), cstring("select 1"), int16(0));
    const bind = message("B", cstring(""), cstring(""), int16(0), int16(0), int16(0));
    const execute = message("E", cstring(""), int32(0));
    const bytes = Buffer.concat([parse, bind, execute, message("S")]);
    const { bytes: answer, end } = await askRaw(connection, bytes, (code) => code !== 0x31);
    expect(answer).toEqual(
      Buffer.concat([message("2"), dataRow("1"), commandComplete("SELECT 1"), readyForQuery()]),
    );
    expect(end).toMatchObject({ type: "ready" });
  });

  test("feed a COPY, and give one back", async () => {
    await ask(connection, "create temp table fed (a int)", new RecordingSink());
    const { promise, resolve } = Promise.withResolvers<RequestEnd>();
    const receiver = {
      span: (): boolean => true,
      message: (code: number): boolean => {
        if (code === 0x47) {
          const data = Array.from({ length: 100 }, (_, index) => message("d", text(`${index}\n`)));
          connection.feed(request, Buffer.concat([...data, message("c")]));
        }
        return true;
      },
      settle: resolve,
    };
    const request: SpanRequest = new RawUnit({
      bytes: queryMessage("copy fed from stdin"),
      receiver,
    });
    connection.send(request);
    expect(await promise).toMatchObject({ type: "ready", error: undefined });
    const sink = new RecordingSink();
    await ask(connection, "select count(*), sum(a) from fed", sink);
    expect(sink.rows).toEqual([["100", "4950"]]);
    const { bytes } = await askRaw(connection, queryMessage("copy fed to stdout"));
    const rows = Array.from({ length: 100 }, (_, index) => message("d", text(`${index}\n`)));
    expect(bytes.includes(Buffer.concat(rows))).toBe(true);
    expect(connection.feed(request, text("too late"))).toBe(true);
    expect(connection.idle).toBe(true);
  });

  test("are fed in the turn in which they are sent", async () => {
    const { promise, resolve } = Promise.withResolvers<RequestEnd>();
    const bytes = message("P", text("\0select 1\0\0\0"));
    const receiver = { span: (): boolean => true, settle: resolve };
    const request: SpanRequest = new RawUnit({ bytes, receiver });
    connection.send(request);
    connection.feed(request, message("S"));
    expect(await promise).toMatchObject({ type: "ready", error: undefined });
  });
});

describe("a statement with a name", () => {
  /** Sends a unit and keeps what it yields. */
  async function send(
    statement: ExtendedStatement,
    options: { name?: string; parses?: boolean; closes?: string[] } = {},
  ): Promise<{ sink: RecordingSink; end: RequestEnd; steps: string[]; parameters: number[] }> {
    const { name = "named", parses = false, closes = [] } = options;
    const { promise, resolve } = Promise.withResolvers<RequestEnd>();
    const sink = new RecordingSink();
    const steps: string[] = [];
    const parameters: number[] = [];
    const unit = new ExtendedUnit({
      statement,
      name,
      receiver: {
        event: (one) => sink.write(one),
        step: (step) => steps.push(step),
        described: (bytes) => parameters.push(...decodeParameterTypes(bytes)),
        settle: resolve,
      },
    });
    unit.arrange({ parses, closes });
    connection.send(unit);
    return { sink, end: await promise, steps, parameters };
  }

  const names = async (): Promise<unknown[]> =>
    (await run(prepared("select name from pg_prepared_statements order by name"))).sink.rows.flat();

  test("is parsed once, and again only in its own place", async () => {
    const statement = prepared("select $1::int", { parameters: [Buffer.from("1")] });
    expect((await send(statement, { parses: true })).steps).toEqual(["parsed", "bound"]);
    expect((await send(statement)).steps).toEqual(["bound"]);
    expect((await send(statement, { parses: true })).sink.rows).toEqual([["1"]]);
    expect(await names()).toEqual(["named"]);
  });

  test("makes room by closing others, also ones that are not there", async () => {
    await send(prepared("select 1"), { name: "first", parses: true });
    await send(prepared("select 2"), { name: "second", parses: true, closes: ["first", "none"] });
    expect(await names()).not.toContain("first");
    expect(await names()).toContain("second");
  });

  test("tells which of its steps failed", async () => {
    const value = { parameters: [Buffer.from("x")] };
    const steps = async (sql: string): Promise<string[]> =>
      (await send(prepared(sql, value), { name: "failing", parses: true })).steps;
    expect(await steps("selec $1")).toEqual([]);
    expect(await steps("select $1::int")).toEqual(["parsed"]);
    expect(await steps("select 1 / (n - length($1)) from generate_series(1, 3) n")).toEqual([
      "parsed",
      "bound",
    ]);
  });

  test("is described, and its portal too", async () => {
    const sql = "select $1::int as n, $2::text";
    const description = { type: "describe", sql, parameterTypes: [] } as const;
    const binding = { parameters: [null, null], parameterFormats: [], resultFormats: [1] };
    const whole = await send(
      { ...description, binding: undefined },
      { name: "told", parses: true },
    );
    expect([whole.parameters, whole.sink.types]).toEqual([[23, 25], ["fields"]]);
    const portal = await send({ ...description, binding }, { name: "told" });
    expect([portal.parameters, portal.sink.types]).toEqual([[], ["fields"]]);
    expect(portal.end).toMatchObject({ type: "ready", error: undefined });
  });

  test("runs through SQL that names it", async () => {
    const statement = {
      type: "sqlExecute",
      prefix: "explain (costs off) execute ",
      sql: "select $1::int",
      parameterTypes: [],
      suffix: "(1)",
    } as const;
    const { sink } = await send(statement, { name: "explained", parses: true });
    expect(sink.rows).toEqual([["Result"]]);
    const execution = { ...statement, prefix: "execute " };
    expect((await send(execution, { name: "explained" })).sink.rows).toEqual([["1"]]);
  });

  test("leaves its portal open under a name, as a cursor of the transaction", async () => {
    const statement = prepared("select generate_series(1, 5)", { maxRows: 2, portal: "rest" });
    await run(prepared("begin"));
    for (const parses of [true, false]) {
      const { sink } = await send(statement, { name: "series", parses });
      expect(sink.types.at(-1)).toBe("suspended");
      expect(sink.rows).toEqual([["1"], ["2"]]);
    }
    expect((await run(prepared("fetch all from rest"))).sink.rows).toEqual([["3"], ["4"], ["5"]]);
    await run(prepared("commit"));
  });

  test.each([
    ["a prefix", { prefix: "\0" }],
    ["a suffix", { suffix: "\0" }],
  ])("is refused with %s that holds a NUL character", (what, change) => {
    const statement = {
      type: "sqlExecute",
      prefix: "execute ",
      sql: "select 1",
      parameterTypes: [],
      suffix: "",
      ...change,
    } as const;
    const receiver = { event: () => undefined, settle: () => undefined };
    expect(() => new ExtendedUnit({ statement, name: "n", receiver })).toThrow(
      expect.objectContaining({
        code: "INVALID_ARGUMENT",
        message: `${what} cannot hold a NUL character`,
      }),
    );
  });
});
