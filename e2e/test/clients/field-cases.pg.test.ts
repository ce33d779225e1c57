import {
  bind,
  describe as describing,
  execute,
  parse,
  query,
  sync,
  WireClient,
} from "@multipooler/conversations";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ClientPooler } from "../client-pooler.ts";

const CAPACITY = 3;
const LIMIT_MS = 30_000;
const LOOPING_CLIENTS = 10;
const ROUNDS = 20;

let pooler: ClientPooler;

beforeAll(async () => {
  pooler = await ClientPooler.start(
    { "connpool-global-capacity": String(CAPACITY), "pg-trust-loopback": "on" },
    { server: { auth: "trust" } },
  );
  await pooler.postgres.sql("create role other login");
});

afterAll(async () => {
  await pooler?.[Symbol.asyncDispose]();
});

function running(sql: string): readonly Buffer[] {
  return [parse(sql), bind(), execute()];
}

/** What a client is answered that sends these messages in one write, up to so many ReadyForQuery. */
async function answers(
  port: number,
  messages: readonly Buffer[],
  count: number,
): Promise<string[]> {
  const { user, database } = pooler.address;
  await using client = await WireClient.connect(port, { user, database });
  const signal = AbortSignal.timeout(LIMIT_MS);
  await client.transcript.ready(signal);
  await client.send([Buffer.concat(messages)]);
  const lines: string[] = [];
  while (lines.filter((line) => line.startsWith("Z")).length < count && !signal.aborted) {
    lines.push(...(await client.transcript.ready(signal)));
  }
  return lines;
}

test.for([
  [
    "P1: Describe between the last Execute and Sync",
    [...running("select 1"), ...running("select 2"), describing("P"), sync],
    1,
  ],
  ["P2: a PREPARE that fails", [query("prepare a as select bogus"), query("execute a")], 2],
  ["P6: an error in Parse", [parse("selec 1"), describing("S"), sync], 1],
  ["P6: a description without parameters", [parse("select 1"), describing("S"), sync], 1],
  [
    "E3: an error while more was pipelined",
    [...running("select 1/0"), sync, ...running("select 2"), sync],
    2,
  ],
  [
    "S7: another session authorization, and the next statement",
    [
      query("set session authorization other"),
      query("select session_user"),
      query("reset session authorization"),
    ],
    3,
  ],
  [
    "S8: a bad SET is told at once",
    [query("set lock_timeout to sdf"), query("select 1"), query("show lock_timeout")],
    3,
  ],
] as const)("%s is answered as by PostgreSQL", async ([, messages, count]) => {
  const direct = await answers(pooler.direct.port, messages, count);
  expect(direct.filter((line) => line.startsWith("Z"))).toHaveLength(count);
  expect(await answers(pooler.address.port, messages, count)).toEqual(direct);
});

test("S9: no reply goes missing when transactions take turns", { timeout: 120_000 }, async () => {
  const loops = Array.from({ length: LOOPING_CLIENTS }, async () => {
    const client = await pooler.connect();
    for (let round = 0; round < ROUNDS; round += 1) {
      await client.query("begin read only");
      expect((await client.query("select 1 as one")).rows).toEqual([{ one: 1 }]);
      expect((await client.query("commit")).command).toBe("COMMIT");
    }
    await client.end();
  });
  await Promise.all(loops);
  const open = "select 1 from pg_stat_activity where state like 'idle in transaction%'";
  expect(await pooler.postgres.sql(open)).toEqual([]);
});
