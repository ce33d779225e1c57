import { connect } from "@multipooler/grpc-services/client";
import type { PoolerClient } from "@multipooler/grpc-services/client";
import type pg from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ClientPooler } from "./client-pooler.ts";

const MAX_PARAMETERS = 65_535;
const MAX_COLUMNS = 1600;
const LARGE_BYTES = 104_857_600;
const LARGE = `select repeat('x', ${LARGE_BYTES}) as large`;
const SUM = `select count(*)::text from unnest(array[${Array.from(
  { length: MAX_PARAMETERS },
  (_, index) => `$${index + 1}::int`,
).join()}])`;
const WIDE = `select ${Array.from({ length: MAX_COLUMNS }, (_, index) =>
  index % 2 === 0 ? `${index} as c${index}` : `null::int as c${index}`,
).join()}`;

let clients: ClientPooler;
let client: PoolerClient;
let session: pg.Client;

beforeAll(async () => {
  clients = await ClientPooler.start();
  client = connect({ address: await clients.pooler.grpc() });
  session = await clients.connect();
}, 60_000);

afterAll(async () => {
  await session?.end();
  client?.close();
  await clients?.[Symbol.asyncDispose]();
});

describe("a call", () => {
  test("takes 65,535 parameters", async () => {
    const value = Buffer.from("7");
    const answers = client.portalStreamExecute({
      preparedStatement: { name: "", query: SUM },
      portal: {
        paramLengths: Array.from({ length: MAX_PARAMETERS }, () => BigInt(value.length)),
        paramValues: Buffer.alloc(MAX_PARAMETERS, value),
      },
    });
    const values: string[] = [];
    for await (const { result } of answers) {
      if (result?.payload?.$case === "result") {
        values.push(...result.payload.value.rows.map((row) => Buffer.from(row.values).toString()));
      }
    }
    expect(values).toEqual([String(MAX_PARAMETERS)]);
  });

  test("gets 1600 columns, every second of them NULL", async () => {
    const { result } = await client.executeQuery({ query: WIDE });
    const [row] = result?.rows ?? [];
    expect(result?.fields).toHaveLength(MAX_COLUMNS);
    expect(row?.lengths.filter((length) => length === -1n)).toHaveLength(MAX_COLUMNS / 2);
  });

  test("gets a row without columns", async () => {
    const { result } = await client.executeQuery({ query: "select" });
    expect(result).toMatchObject({ hasFields: true, fields: [], commandTag: "SELECT 1" });
    expect(result?.rows).toHaveLength(1);
  });

  test("gets a value of 100 MiB in pieces", async () => {
    const { largest, bytes, pieces } = await passedThrough(LARGE);
    // Type, length, columns and the length of the value come before it.
    expect([bytes, largest]).toEqual([LARGE_BYTES + 11, 2_097_152]);
    expect(pieces).toBeGreaterThan(40);
  });

  test("is told the limit when a row of 100 MiB would have to be one message", async () => {
    const refused = { diagnostic: { code: "54000", message: expect.stringContaining("16777216") } };
    await expect(client.executeQuery({ query: LARGE })).rejects.toMatchObject(refused);
    await expect(structured(LARGE)).rejects.toMatchObject(refused);
    expect(await client.executeQuery({ query: "select 1" })).toMatchObject({
      result: { commandTag: "SELECT 1" },
    });
  });
});

describe("a session", () => {
  test("takes 65,535 parameters", async () => {
    const values = Array.from({ length: MAX_PARAMETERS }, () => 7);
    const { rows } = await session.query({ text: SUM, values, rowMode: "array" });
    expect(rows).toEqual([[String(MAX_PARAMETERS)]]);
  });

  test("gets 1600 columns, every second of them NULL", async () => {
    const { rows } = await session.query<unknown[]>({ text: WIDE, rowMode: "array" });
    expect(rows[0]).toHaveLength(MAX_COLUMNS);
    expect(rows[0]?.filter((value) => value === null)).toHaveLength(MAX_COLUMNS / 2);
  });

  test("gets a row without columns", async () => {
    const { rows, fields } = await session.query({ text: "select", rowMode: "array" });
    expect([rows, fields]).toEqual([[[]], []]);
  });

  test("gets a value of 100 MiB", async () => {
    const { rows } = await session.query<{ large: string }>(LARGE);
    expect(rows[0]?.large.length).toBe(LARGE_BYTES);
  }, 60_000);
});

/** Reads a result as decoded rows. */
async function structured(query: string): Promise<void> {
  for await (const part of client.streamExecute({ query })) {
    void part;
  }
}

/** What a result came in. */
async function passedThrough(
  query: string,
): Promise<{ readonly bytes: number; readonly pieces: number; readonly largest: number }> {
  let bytes = 0;
  let pieces = 0;
  let largest = 0;
  for await (const { result } of client.streamExecute({
    query,
    options: { passthroughRow: true },
  })) {
    if (result?.payload?.$case === "result") {
      const { passthroughBlock } = result.payload.value;
      bytes += passthroughBlock.length;
      pieces += passthroughBlock.length > 0 ? 1 : 0;
      largest = Math.max(largest, passthroughBlock.length);
    }
  }
  return { bytes, pieces, largest };
}
