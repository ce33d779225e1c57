import { expect, test } from "vitest";
import { resultsOf, rowsOf, shapeOf } from "./result-reading.ts";
import { useScene } from "./scene.ts";

const MIB = 1_048_576;
const MAX_BLOCK_BYTES = 2 * MIB;
const PASSTHROUGH = { passthroughRow: true };

const scene = useScene();

test("`SELECT 1` = exactly one result message (fields, has_fields, one row, tag `SELECT 1`)", async () => {
  const answer = await scene.gateway.streamExecute({ query: "SELECT 1" });
  expect(answer).toMatchObject({ code: 0 });
  expect(answer.messages).toHaveLength(1);
  expect(resultsOf(answer)).toMatchObject([
    {
      fields: [{ name: "?column?", dataTypeOid: 23, dataTypeSize: 4, typeModifier: -1, format: 0 }],
      hasFields: true,
      commandTag: "SELECT 1",
      rowsAffected: 0n,
    },
  ]);
  expect(rowsOf(answer)).toEqual([["1"]]);
});

test("an empty result is one message with fields and tag", async () => {
  const answer = await scene.gateway.streamExecute({ query: "select 1 as a where false" });
  expect(shapeOf(answer)).toEqual(["SELECT 0"]);
  expect(resultsOf(answer)).toMatchObject([{ fields: [{ name: "a" }], hasFields: true, rows: [] }]);
});

test("zero-column result (`SELECT`)", async () => {
  const answer = await scene.gateway.streamExecute({ query: "SELECT" });
  expect(resultsOf(answer)).toMatchObject([
    { fields: [], hasFields: true, rows: [{ lengths: [] }], commandTag: "SELECT 1" },
  ]);
});

test("`;` (no message)", async () => {
  expect(await scene.gateway.streamExecute({ query: ";" })).toMatchObject({
    code: 0,
    messages: [],
  });
});

test("multi-statement string: each statement has its own result", async () => {
  const answer = await scene.gateway.streamExecute({
    query: "select 1; set local work_mem = '8MB'; select 2",
  });
  expect(shapeOf(answer)).toEqual(["SELECT 1", "SET", "SELECT 1"]);
  expect(resultsOf(answer)[1]).toMatchObject({ hasFields: false, fields: [] });
});

test("error in the middle with earlier results delivered first", async () => {
  const answer = await scene.gateway.streamExecute({ query: "select 1; select 1/0; select 2" });
  expect(shapeOf(answer)).toEqual(["SELECT 1"]);
  expect(answer).toMatchObject({ code: 2, rpcError: { pgDiagnostic: { code: "22012" } } });
});

test("5 MiB of small rows → several ≤2 MiB blocks in passthrough; concatenation equals PG bytes", async () => {
  const rows = 5 * 1024;
  const answer = await scene.gateway.streamExecute({
    query: `select repeat('x', 1024) from generate_series(1, ${rows})`,
    options: PASSTHROUGH,
  });
  const results = resultsOf(answer);
  expect(results.length).toBeGreaterThanOrEqual(3);
  for (const { passthroughBlock, fields, passthroughRowInProgress, rows: decoded } of results) {
    expect(passthroughBlock.byteLength).toBeLessThanOrEqual(MAX_BLOCK_BYTES);
    expect(fields).toHaveLength(1);
    expect(passthroughRowInProgress).toBe(false);
    expect(decoded).toEqual([]);
  }
  expect(results.reduce((sum, each) => sum + each.passthroughRowCount, 0)).toBe(rows);
  const expected = Buffer.concat(Array<Buffer>(rows).fill(dataRow("x".repeat(1024))));
  const blocks = Buffer.concat(results.map(({ passthroughBlock }) => passthroughBlock));
  expect(blocks.equals(expected)).toBe(true);
  expect(results.map(({ commandTag }) => commandTag !== "")).toEqual([
    ...Array<boolean>(results.length - 1).fill(false),
    true,
  ]);
});

test("a 7 MiB row → in-progress pieces; nothing else shares a block with it", async () => {
  const bytes = 7 * MIB;
  const answer = await scene.gateway.streamExecute({
    query: `select 'before' union all select repeat('y', ${bytes}) union all select 'after'`,
    options: PASSTHROUGH,
  });
  const results = resultsOf(answer);
  const expected = [dataRow("before"), dataRow("y".repeat(bytes)), dataRow("after")];
  expect(
    results.map(({ passthroughRowInProgress, passthroughRowCount }) => [
      passthroughRowInProgress,
      passthroughRowCount,
    ]),
  ).toEqual([
    [false, 1],
    [true, 0],
    [true, 0],
    [true, 0],
    [false, 1],
    [false, 1],
  ]);
  for (const { passthroughBlock } of results) {
    expect(passthroughBlock.byteLength).toBeLessThanOrEqual(MAX_BLOCK_BYTES);
  }
  expect([results[0], results.at(-1)].map((each) => each?.passthroughBlock.byteLength)).toEqual([
    expected[0]?.byteLength,
    expected[2]?.byteLength,
  ]);
  const blocks = Buffer.concat(results.map(({ passthroughBlock }) => passthroughBlock));
  expect(blocks.equals(Buffer.concat(expected))).toBe(true);
});

test("notices as separate messages, in PostgreSQL's order", async () => {
  const query = "do $$ begin raise notice 'one'; raise warning 'two'; end $$";
  const answer = await scene.gateway.streamExecute({ query });
  expect(shapeOf(answer)).toEqual(["one", "two", "DO"]);
  expect(answer.messages[1]?.result?.payload).toMatchObject({
    $case: "diagnostic",
    value: { messageType: 78, severity: "WARNING", code: "01000" },
  });
  expect(resultsOf(answer)).toMatchObject([{ notices: [] }]);
});

test("ParameterStatus for SET TimeZone in simple path", async () => {
  const answer = await scene.gateway.streamExecute({
    query: "begin; set local TimeZone = 'Asia/Tokyo'",
  });
  expect(shapeOf(answer)).toEqual(["BEGIN", "SET", "TimeZone=Asia/Tokyo"]);
});

// Go's pooler keeps it to itself. The gateway reports it to its client where it comes.
test("ParameterStatus for set_config of TimeZone in extended path, too", async () => {
  const answer = await scene.gateway.portal({
    preparedStatement: { query: "select set_config('TimeZone', 'Asia/Tokyo', false)" },
  });
  expect(shapeOf(answer)).toEqual(["SELECT 1", "TimeZone=Asia/Tokyo"]);
});

test("slow reader does not grow memory", async () => {
  const before = outsideHeap();
  const call = scene.gateway.beginStream({
    query: "/* slow */ select repeat('z', 10000) from generate_series(1, 100000)",
    options: PASSTHROUGH,
  });
  expect(await call.next()).toBeDefined();
  const waits = "select wait_event from pg_stat_activity where query like '/* slow */%'";
  await expect
    .poll(() => scene.postgres.sql(waits), { timeout: 20_000 })
    .toEqual([{ wait_event: "ClientWrite" }]);
  // 1 GiB is on its way; both ends of it are in this process.
  expect(outsideHeap() - before).toBeLessThan(100 * MIB);
  call.cancel();
  await call.ended;
});

function outsideHeap(): number {
  const { arrayBuffers, external } = process.memoryUsage();
  return Math.max(arrayBuffers, external);
}

/** A DataRow of one column, as PostgreSQL sends it. */
function dataRow(value: string): Buffer {
  const header = Buffer.alloc(11);
  header.write("D");
  header.writeInt32BE(10 + value.length, 1);
  header.writeInt16BE(1, 5);
  header.writeInt32BE(value.length, 7);
  return Buffer.concat([header, Buffer.from(value)]);
}
