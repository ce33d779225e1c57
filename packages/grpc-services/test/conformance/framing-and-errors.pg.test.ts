import { PoolerType } from "@multipooler/manager";
import {
  MultipoolerServiceDefinition,
  StreamExecuteRequest,
} from "@multipooler/proto/multipoolerservice";
import type { StreamExecuteResponse } from "@multipooler/proto/multipoolerservice";
import { TcpProxy } from "@multipooler/tcp-proxy";
import { expect, test } from "vitest";
import { ConformingPooler } from "./conforming-pooler.ts";
import { Gateway, INCONSISTENT, WRITABLE } from "./gateway.ts";
import { DRAINING, untilStatus, watchHealth } from "./health-stream.ts";
import { onState, rowsOf, shapeOf, valueOf } from "./result-reading.ts";
import { useScene } from "./scene.ts";
import type { Answer } from "./wire-client.ts";

const MIB = 1_048_576;
const TRANSACTION = 1;
const UNKNOWN = 2;
const INTERNAL = 13;
const PRE_EXECUTION_UNAVAILABLE = 19;
const REMAINDER =
  " [...] [remainder of the error is truncated because gRPC has a size limit on errors.]";

const scene = useScene();

test("16 MiB request and response accepted", async () => {
  const size = 16 * MIB - 1024;
  const comment = "x".repeat(size);
  const asked = await scene.gateway.streamExecute({ query: `select 1 /* ${comment} */` });
  expect(valueOf(asked)).toBe("1");
  const answered = await scene.gateway.streamExecute({ query: `select repeat('y', ${size})` });
  expect(valueOf(answered)?.length).toBe(size);
});

test("unknown fields ignored", async () => {
  const { streamExecute } = MultipoolerServiceDefinition.methods;
  const requestType = {
    // Field 1000, a varint, is in no version of the contract.
    encode: (request: StreamExecuteRequest) =>
      StreamExecuteRequest.encode(request).uint32(8000).int32(7),
  };
  const request = StreamExecuteRequest.fromPartial({ query: "select 1" });
  const answer = await scene.pooler.client.ask({ ...streamExecute, requestType }, request);
  expect(shapeOf(answer)).toEqual(["SELECT 1"]);
});

test("bytes that are no UTF-8 are refused, a byte order mark and U+FFFD arrive as they are", async () => {
  const { streamExecute } = MultipoolerServiceDefinition.methods;
  const ask = (text: Buffer): Promise<Answer<StreamExecuteResponse>> => {
    const requestType = {
      encode: (request: StreamExecuteRequest) =>
        StreamExecuteRequest.encode(request).uint32(10).bytes(text),
    };
    const request = StreamExecuteRequest.fromPartial({});
    return scene.pooler.client.ask({ ...streamExecute, requestType }, request);
  };
  const refused = await ask(Buffer.from("select 'a\xffb'", "latin1"));
  expect(refused).toMatchObject({ code: INTERNAL, messages: [] });
  expect(valueOf(await ask(Buffer.from("select 'a\ufeffb\ufffdc'")))).toBe("a\ufeffb\ufffdc");
  // PostgreSQL takes the mark for a letter: it is not dropped on the way.
  const marked = await ask(Buffer.from("\ufeffselect 1"));
  expect(marked.rpcError?.pgDiagnostic).toMatchObject({ code: "42601" });
});

test("each PG error yields UNKNOWN status + RPCError with complete diagnostic", async () => {
  await scene.postgres.sql("create table errors (id int constraint errors_key unique)");
  const insert = { query: "insert into errors values (1), (1)" };
  const unique = await scene.gateway.streamExecute(insert);
  expect(unique).toMatchObject({ code: UNKNOWN, messages: [] });
  expect(unique.rpcError).toMatchObject({
    code: UNKNOWN,
    pgDiagnostic: {
      messageType: 69,
      severity: "ERROR",
      code: "23505",
      message: 'duplicate key value violates unique constraint "errors_key"',
      detail: "Key (id)=(1) already exists.",
      schemaName: "public",
      tableName: "errors",
      constraintName: "errors_key",
    },
  });
  const raised = await scene.gateway.executeQuery({
    query: `do $$ begin raise exception using message = 'm', errcode = 'ABCDE', hint = 'h',
      column = 'c', datatype = 'd'; end $$`,
  });
  expect(raised.rpcError?.pgDiagnostic).toMatchObject({
    code: "ABCDE",
    message: "m",
    hint: "h",
    columnName: "c",
    dataTypeName: "d",
    where: "PL/pgSQL function inline_code_block line 1 at RAISE",
  });
  const misspelt = await scene.gateway.streamExecute({ query: "select nothing from nowhere" });
  expect(misspelt.rpcError?.pgDiagnostic).toMatchObject({ code: "42P01", position: 21 });
});

test("text >7,680 bytes truncated", async () => {
  const query = "do $$ begin raise exception '%', repeat('x', 9000); end $$";
  const { text, rpcError } = await scene.gateway.streamExecute({ query });
  expect(text).toBe(`${text.slice(0, 7680)}${REMAINDER}`);
  expect(text).toContain("x".repeat(7000));
  expect(rpcError?.message).toBe(text);
  expect(rpcError?.pgDiagnostic?.message).toBe("x".repeat(9000));
});

test("auth failure gives class 28 without code 19", async () => {
  await scene.postgres.sql("create role alice login password 'secret'");
  const options = await scene.gateway.logIn("alice", "wrong");
  const answer = await scene.gateway.streamExecute({ query: "select 1", options });
  expect(answer).toMatchObject({
    code: UNKNOWN,
    rpcError: { code: UNKNOWN, pgDiagnostic: { code: expect.stringMatching(/^28/) } },
  });
});

test("wrong table group/shard → MTD01", async () => {
  const keys = [
    { database: "postgres", tableGroup: "other", shard: "0-inf" },
    { database: "postgres", tableGroup: "default", shard: "80-inf" },
  ];
  for (const shardKey of keys) {
    const answer = await scene.gateway.streamExecute({
      query: "select 1",
      target: { shardKey, mode: 1 },
    });
    expect(answer.rpcError?.pgDiagnostic).toMatchObject({
      severity: "ERROR",
      code: "MTD01",
      message: expect.stringMatching(/^\[BUG\] /),
      detail: expect.stringContaining("https://github.com/multigres/multigres/issues/new/choose"),
    });
  }
  // A name that is left empty matches any.
  const empty = { shardKey: { database: "", tableGroup: "", shard: "" }, mode: 0 } as const;
  expect(shapeOf(await scene.gateway.streamExecute({ query: "select 1", target: empty }))).toEqual([
    "SELECT 1",
  ]);
});

test("not serving → MTF01 for all new kinds; existing reserved still admitted", async () => {
  await using pooler = await ConformingPooler.start(scene.postgres, {
    controller: { drainGraceMs: 0 },
  });
  const gateway = new Gateway(pooler.client);
  const begun = await gateway.streamExecute({
    query: "select 1",
    reservationOptions: { reasons: TRANSACTION },
  });
  const options = onState(begun);
  const health = watchHealth(pooler);
  const closed = pooler.manager.close();
  await untilStatus(health, DRAINING);
  const refused = { code: UNKNOWN, rpcError: { pgDiagnostic: { code: "MTF01" } } };
  const reservation = { reasons: TRANSACTION };
  expect(
    await gateway.streamExecute({ query: "select 1", reservationOptions: reservation }),
  ).toMatchObject(refused);
  expect(await gateway.credentials("postgres")).toMatchObject(refused);
  expect(shapeOf(await gateway.streamExecute({ query: "select 2", options }))).toEqual([
    "SELECT 1",
    "state",
  ]);
  expect(await gateway.conclude({ options, conclusion: 1 })).toMatchObject({ code: 0 });
  await closed;
});

test("INCONSISTENT accepted on replica, WRITABLE/CONSISTENT → MTF01", async () => {
  await using pooler = await ConformingPooler.start(scene.postgres, { type: PoolerType.Replica });
  const gateway = new Gateway(pooler.client);
  const query = "show default_transaction_read_only";
  expect(rowsOf(await gateway.streamExecute({ query, target: INCONSISTENT }))).toEqual([["on"]]);
  for (const mode of [1, 2] as const) {
    const target = { ...WRITABLE, mode };
    expect(await gateway.streamExecute({ query, target })).toMatchObject({
      code: UNKNOWN,
      rpcError: {
        pgDiagnostic: {
          code: "MTF01",
          message: "planned failover in progress",
          detail: expect.stringMatching(/^The pooler is transitioning during a planned failover/),
        },
      },
    });
  }
});

test("dial failure gives code 19 with 57P03", async () => {
  await scene.postgres.sql("create role bob login password 'secret'");
  await using network = await TcpProxy.before(scene.postgres.port);
  await using pooler = await ConformingPooler.start(scene.postgres, { port: network.port });
  const gateway = new Gateway(pooler.client);
  const options = await gateway.logIn("bob", "secret");
  network.refuseNew();
  const reservationOptions = { reasons: TRANSACTION };
  for (const answer of [
    await gateway.streamExecute({ query: "select 1", options }),
    await gateway.streamExecute({ query: "select 1", options, reservationOptions }),
    await gateway.portal({ preparedStatement: { query: "select 1" }, options }),
    await gateway.describe({ preparedStatement: { query: "select 1" }, options }),
    await gateway.executeQuery({ query: "select 1", options }),
  ]) {
    expect(answer).toMatchObject({
      code: UNKNOWN,
      messages: [],
      rpcError: {
        code: PRE_EXECUTION_UNAVAILABLE,
        pgDiagnostic: {
          severity: "ERROR",
          code: "57P03",
          message: "database is temporarily unavailable; please retry",
        },
      },
    });
  }
});

test("dial failure gives code 19 with PG's own diagnostic", async () => {
  const begun = await scene.gateway.streamExecute({
    query: "select 1",
    reservationOptions: { reasons: TRANSACTION },
  });
  const options = await scene.gateway.logIn("alice", "secret");
  const { pid } = scene.postgres;
  if (pid === undefined) {
    throw new Error("PostgreSQL does not run");
  }
  // A smart shutdown, from the next connection on; the stop below waits for its end.
  process.kill(pid, "SIGTERM");
  const stopped = scene.postgres.stop("smart");
  try {
    const answer = await scene.gateway.streamExecute({ query: "select 1", options });
    expect(answer).toMatchObject({
      code: UNKNOWN,
      rpcError: {
        code: PRE_EXECUTION_UNAVAILABLE,
        pgDiagnostic: { severity: "FATAL", code: "57P03" },
      },
    });
  } finally {
    await scene.gateway.release({ options: onState(begun) });
    await stopped;
    await scene.postgres.start();
  }
});
