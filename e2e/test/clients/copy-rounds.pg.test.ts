import {
  bind,
  copyData,
  copyDone,
  execute,
  parse,
  query,
  sync,
  WireClient,
} from "@multipooler/conversations";
import { COLLECTING, collectedMemory, startPooler } from "@multipooler/pooler-process";
import { startPostgres } from "@multipooler/test-postgres";
import { expect, test } from "vitest";
import { flagsFor } from "../flags.ts";

/** `MULTIPOOLER_COPY_ROUNDS=10000 npm test -- --project @multipooler/e2e copy-rounds` is the long run. */
const ROUNDS = Number(process.env["MULTIPOOLER_COPY_ROUNDS"] ?? 200);
const WARM_UP_ROUNDS = 100;
const ROWS = 1000;
const CLIENTS = 2;
const LIMIT_MS = 30_000;
const LONGEST_ROUND_MS = 200;
const MOST_GROWTH_BYTES = 4 * 1_048_576;

const COPY = Buffer.concat([
  query("copy copied from stdin"),
  ...Array.from({ length: ROWS }, (_, row) => copyData(`${row}\n`)),
  copyDone,
  sync,
]);

/** The answers as the first letters of their messages, up to so many ReadyForQuery. */
async function answers(client: WireClient, messages: Buffer, count: number): Promise<string> {
  await client.send([messages]);
  const lines: string[] = [];
  while (lines.filter((line) => line.startsWith("Z")).length < count) {
    lines.push(...(await client.transcript.login(AbortSignal.timeout(LIMIT_MS))));
  }
  return lines.map((line) => line.slice(0, 1)).join("");
}

/** A COPY with a Sync behind it, and a statement that stays prepared, again and again. */
async function copyRounds(client: WireClient, rounds: number): Promise<void> {
  const run = Buffer.concat([bind(["7"], { statement: "kept" }), execute(), sync]);
  for (let round = 0; round < rounds; round += 1) {
    expect(await answers(client, COPY, 2)).toBe("GCZZ");
    expect(await answers(client, run, 1)).toBe("2DCZ");
  }
}

test(
  "P5: COPY with Sync behind it, again and again, leaves memory level and statements there",
  { timeout: 60_000 + (ROUNDS + WARM_UP_ROUNDS) * LONGEST_ROUND_MS },
  async () => {
    await using postgres = await startPostgres({ auth: "trust" });
    await postgres.sql("create unlogged table copied (x int)");
    await using pooler = startPooler({
      flags: {
        ...flagsFor(postgres),
        "pg-listen-port": "0",
        "pg-trust-loopback": "on",
        "connpool-global-capacity": String(CLIENTS),
      },
      nodeOptions: COLLECTING,
    });
    await pooler.ready(200, { signal: AbortSignal.timeout(LIMIT_MS) });
    const port = Number((await pooler.pgwire()).split(":").at(-1));
    await using stack = new AsyncDisposableStack();
    const clients = await Promise.all(
      Array.from({ length: CLIENTS }, async () => {
        const { user } = postgres;
        const client = stack.use(await WireClient.connect(port, { user, database: "postgres" }));
        await client.transcript.login(AbortSignal.timeout(LIMIT_MS));
        expect(await answers(client, Buffer.concat([parse("select $1", "kept"), sync]), 1)).toBe(
          "1Z",
        );
        return client;
      }),
    );
    const doRounds = (rounds: number): Promise<void[]> =>
      Promise.all(clients.map((client) => copyRounds(client, rounds)));
    await doRounds(WARM_UP_ROUNDS);
    const before = await collectedMemory(pooler);
    await doRounds(ROUNDS);
    const after = await collectedMemory(pooler);
    expect(after.live - before.live).toBeLessThan(MOST_GROWTH_BYTES);
    const [row] = await postgres.sql("select count(*)::int as n from copied");
    expect(row).toEqual({ n: CLIENTS * ROWS * (ROUNDS + WARM_UP_ROUNDS) });
  },
);
