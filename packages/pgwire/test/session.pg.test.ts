import { startPostgres } from "@multipooler/test-postgres";
import type { TestPostgres } from "@multipooler/test-postgres";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { ConnectOptions, ServerAddress } from "../src/connection/connect-options.ts";
import { BackendConnection } from "../src/connection/backend-connection.ts";
import { PgwireError } from "../src/error.ts";
import { Conversation } from "./conversation.ts";
import { RecordingProxy } from "./recording-proxy.ts";
import { ask } from "./ask.ts";
import { RecordingSink } from "./recording-sink.ts";

let postgres: TestPostgres;
beforeAll(async () => {
  postgres = await startPostgres();
});
afterAll(async () => await postgres[Symbol.asyncDispose]());

/** A connection to a database of its own; disposing checks that the server has forgotten it. */
async function session(
  more: Partial<ConnectOptions> = {},
): Promise<{ connection: BackendConnection } & AsyncDisposable> {
  const database = await postgres.createDatabase();
  const connection = await BackendConnection.connect({
    address: { type: "socket", path: postgres.socketPath },
    user: postgres.user,
    database: database.name,
    ...more,
  });
  return {
    connection,
    async [Symbol.asyncDispose]() {
      await connection.close();
      const left = await postgres.sql("select pid from pg_stat_activity where datname = $1", {
        values: [database.name],
      });
      expect(left).toEqual([]);
      await database[Symbol.asyncDispose]();
    },
  };
}

async function run(connection: BackendConnection, sql: string): Promise<RecordingSink> {
  const sink = new RecordingSink();
  await ask(connection, sql, sink);
  return sink;
}

describe("a session", () => {
  test.each<[string, () => ServerAddress]>([
    ["a unix socket", () => ({ type: "socket", path: postgres.socketPath })],
    ["TCP", () => ({ type: "tcp", host: postgres.host, port: postgres.port })],
    ["TCP by name", () => ({ type: "tcp", host: "localhost", port: postgres.port })],
  ])("over %s is the process that it says", async (_case, address) => {
    await using opened = await session({ address: address() });
    const { connection } = opened;
    const sink = await run(connection, "select pg_backend_pid(), current_user");
    expect(sink.rows).toEqual([[`${connection.processId}`, postgres.user]]);
    expect(connection.parameters.get("server_version")).toMatch(/^17\./);
    expect(connection.parameters.get("server_encoding")).toBe("UTF8");
  });

  test("takes settings from the start", async () => {
    await using opened = await session({
      parameters: { default_transaction_read_only: "on", application_name: "größer" },
    });
    const { connection } = opened;
    expect(connection.parameters.get("default_transaction_read_only")).toBe("on");
    const refused = run(connection, "create table t (a int)");
    await expect(refused).rejects.toMatchObject({ diagnostic: { code: "25006" } });
  });

  test("reads text as UTF-8 whatever the encoding of the database, if it asks for that", async () => {
    await postgres.sql(
      "create database latin1 encoding 'LATIN1' locale_provider libc locale 'C' template template0",
    );
    await using connection = await BackendConnection.connect({
      address: { type: "socket", path: postgres.socketPath },
      user: postgres.user,
      database: "latin1",
      parameters: { client_encoding: "UTF8" },
    });
    const sink = await run(connection, `select 'ü' as "größe", octet_length('ü') = 2`);
    expect(sink.transcript[0]).toMatchObject({ fields: [{ name: "größe" }, {}] });
    expect(sink.rows[0]?.[0]).toBe("ü");
    expect(connection.parameters.get("server_encoding")).toBe("LATIN1");
  });
});

describe("an answer", () => {
  test("tells its fields", async () => {
    await using opened = await session();
    const { connection } = opened;
    await run(connection, "create table t (a int, b varchar(5), c numeric(10, 2))");
    const table = await run(connection, "select 't'::regclass::oid");
    const tableOid = Number(table.rows[0]?.[0]);
    const sink = await run(connection, "select b, c, 1 as one from t");
    const common = { format: 0 };
    expect(sink.transcript).toEqual([
      {
        type: "fields",
        fields: [
          {
            ...common,
            name: "b",
            tableOid,
            tableAttributeNumber: 2,
            dataTypeOid: 1043,
            dataTypeSize: -1,
            typeModifier: 9,
          },
          {
            ...common,
            name: "c",
            tableOid,
            tableAttributeNumber: 3,
            dataTypeOid: 1700,
            dataTypeSize: -1,
            typeModifier: 655_366,
          },
          {
            ...common,
            name: "one",
            tableOid: 0,
            tableAttributeNumber: 0,
            dataTypeOid: 23,
            dataTypeSize: 4,
            typeModifier: -1,
          },
        ],
      },
      { type: "complete", commandTag: "SELECT 0" },
    ]);
  });

  test.each([
    ["an empty query", "", ["empty"]],
    ["nothing but a semicolon", " ; ", ["empty"]],
    ["no column", "select", ["fields", "rows", "complete"]],
    ["no row", "select 1 where false", ["fields", "complete"]],
    [
      "several statements",
      "select 1; begin; select 2; commit",
      ["fields", "rows", "complete", "complete", "fields", "rows", "complete", "complete"],
    ],
    ["a notice", "do $$ begin raise notice 'hello'; end $$", ["notice", "complete"]],
    [
      "a setting that the client should know",
      "set timezone to 'Asia/Tokyo'",
      ["complete", "parameterStatus"],
    ],
  ])("to %s", async (_case, sql, types) => {
    await using opened = await session();
    expect((await run(opened.connection, sql)).types).toEqual(types);
  });

  test("to SET keeps the parameters up to date", async () => {
    await using opened = await session();
    const sink = await run(opened.connection, "set timezone to 'Asia/Tokyo'");
    expect(sink.transcript).toContainEqual({
      type: "parameterStatus",
      name: "TimeZone",
      value: "Asia/Tokyo",
    });
    expect(opened.connection.parameters.get("TimeZone")).toBe("Asia/Tokyo");
  });

  test("tells a notice with every field", async () => {
    await using opened = await session();
    const sql = `do $$ begin
      raise warning using message = 'm', detail = 'd', hint = 'h', errcode = '01234',
        schema = 's', table = 't', column = 'c', datatype = 'dt', constraint = 'k';
    end $$`;
    const { transcript } = await run(opened.connection, sql);
    expect(transcript[0]).toMatchObject({
      type: "notice",
      notice: {
        kind: "notice",
        severity: "WARNING",
        code: "01234",
        message: "m",
        detail: "d",
        hint: "h",
        where: expect.stringContaining("inline_code_block"),
        schemaName: "s",
        tableName: "t",
        columnName: "c",
        dataTypeName: "dt",
        constraintName: "k",
        routine: "exec_stmt_raise",
      },
    });
  });

  test("may hold an error of any length, of which the end is cut off", async () => {
    await using opened = await session({ parameters: { log_min_messages: "panic" } });
    const sql = "do $$ begin raise exception '%', repeat('e', 17 * 1024 * 1024); end $$";
    const error = await run(opened.connection, sql).catch((thrown: unknown) => thrown);
    if (!(error instanceof PgwireError)) {
      throw new Error("no error");
    }
    expect([error.code, error.diagnostic?.code]).toEqual(["POSTGRES", "P0001"]);
    expect(error.diagnostic?.message.length).toBeGreaterThan(8_000_000);
    expect(error.diagnostic?.message.length).toBeLessThan(9_000_000);
    expect(opened.connection.idle).toBe(true);
  });

  test("that fails in the middle has delivered what came before", async () => {
    await using opened = await session();
    const sink = new RecordingSink();
    const sql = "select 0; select 1/(5-g) from generate_series(1,10) g; select 2";
    await expect(ask(opened.connection, sql, sink)).rejects.toMatchObject({
      code: "POSTGRES",
      sent: true,
      diagnostic: { code: "22012", severity: "ERROR", message: "division by zero" },
    });
    expect(sink.types).toEqual(["fields", "rows", "complete", "fields", "rows"]);
    expect(sink.rows).toEqual([["0"], ["0"], ["0"], ["0"], ["1"]]);
    expect(opened.connection.idle).toBe(true);
  });

  test("tells where in the query the error is", async () => {
    await using opened = await session();
    await expect(run(opened.connection, "select 'ü', nothing")).rejects.toMatchObject({
      diagnostic: { code: "42703", position: 13 },
    });
  });

  test("leaves the transaction's status behind", async () => {
    await using opened = await session();
    const { connection } = opened;
    await run(connection, "begin");
    expect(connection.transactionStatus).toBe("T");
    await run(connection, "no").catch(() => undefined);
    expect(connection.transactionStatus).toBe("E");
    await run(connection, "rollback");
    expect(connection.transactionStatus).toBe("I");
  });

  test("to COPY is refused, and the session goes on", async () => {
    await using opened = await session();
    const { connection } = opened;
    await run(connection, "create table t (a int)");
    const unsupported = { code: "UNSUPPORTED" };
    await expect(run(connection, "copy t from stdin")).rejects.toMatchObject(unsupported);
    await expect(
      run(connection, "copy (select repeat('x', 3000) from generate_series(1, 1000)) to stdout"),
    ).rejects.toMatchObject(unsupported);
    expect((await run(connection, "select 1")).rows).toEqual([["1"]]);
  });

  test("to COPY FROM STDIN costs the session when another request was sent behind it", async () => {
    const database = await postgres.createDatabase();
    const connection = await BackendConnection.connect({
      address: { type: "socket", path: postgres.socketPath },
      user: postgres.user,
      database: database.name,
    });
    await run(connection, "create table t (a int)");
    const [copy, behind] = [run(connection, "copy t from stdin"), run(connection, "select 1")];
    await expect(copy).rejects.toMatchObject({ code: "UNSUPPORTED" });
    await expect(behind).rejects.toMatchObject({ code: "CONNECTION_LOST", sent: true });
    expect((await connection.closed).type).toBe("lost");
    await database[Symbol.asyncDispose]();
  });
});

test("requests in flight together get their own answers, errors among them", async () => {
  await using opened = await session();
  const { connection } = opened;
  const outcomes = await Promise.allSettled(
    Array.from({ length: 200 }, (_, index) =>
      run(connection, index % 7 === 3 ? `select ${index} / 0` : `select ${index}`),
    ),
  );
  for (const [index, outcome] of outcomes.entries()) {
    if (index % 7 === 3) {
      expect(outcome).toMatchObject({
        status: "rejected",
        reason: { diagnostic: { code: "22012" } },
      });
    } else {
      expect(outcome.status === "fulfilled" && outcome.value.rows).toEqual([[`${index}`]]);
    }
  }
});

test("a recorded answer is the same however it is cut, and its rows are PostgreSQL's bytes", async () => {
  await using proxy = await RecordingProxy.start(postgres.socketPath);
  await using opened = await session({ address: proxy.address });
  const { connection } = opened;
  proxy.take();
  const sink = new RecordingSink();
  const sql = `begin; set timezone to 'Asia/Tokyo'; commit;
    select g, repeat('x', g), null from generate_series(1, 20) g;
    do $$ begin raise notice 'hello'; end $$; select; select 1 / 0`;
  const error: unknown = await ask(connection, sql, sink).catch((reason: unknown) => reason);
  const stream = proxy.take();
  expect(error).toMatchObject({ diagnostic: { code: "22012" } });
  expect(sink.types.join(" ")).toBe(
    "complete complete complete fields rows complete notice complete fields rows complete parameterStatus",
  );
  expect(sink.rowBytes.equals(dataRows(stream))).toBe(true);

  const replay = async (chunks: readonly Buffer[]): Promise<void> => {
    const conversation = new Conversation();
    const copy = new RecordingSink();
    const outcome = conversation.ask(copy);
    await conversation.hear(...chunks);
    expect(await outcome).toEqual(error);
    expect(copy.transcript).toEqual(sink.transcript);
  };
  for (let at = 0; at <= stream.length; at += 1) {
    await replay([stream.subarray(0, at), stream.subarray(at)]);
  }
  await replay(Array.from(stream, (byte) => Buffer.from([byte])));
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.integer({ min: 1, max: 200 }), { minLength: 1 }),
      async (sizes) => {
        const chunks: Buffer[] = [];
        for (let at = 0, index = 0; at < stream.length; index += 1) {
          const size = sizes[index % sizes.length] ?? 1;
          chunks.push(stream.subarray(at, at + size));
          at += size;
        }
        await replay(chunks);
      },
    ),
  );
});

/** The DataRow messages of a stream. */
function dataRows(stream: Buffer): Buffer {
  const rows: Buffer[] = [];
  for (let at = 0; at < stream.length;) {
    const end = at + 1 + stream.readInt32BE(at + 1);
    if (stream.toString("latin1", at, at + 1) === "D") {
      rows.push(stream.subarray(at, end));
    }
    at = end;
  }
  return Buffer.concat(rows);
}
