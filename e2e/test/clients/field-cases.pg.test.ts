import {
  bind,
  close,
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
  await client.transcript.login(signal);
  await client.send([Buffer.concat(messages)]);
  const lines: string[] = [];
  while (lines.filter((line) => line.startsWith("Z")).length < count && !signal.aborted) {
    lines.push(...(await client.transcript.login(signal)));
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

/** As asyncpg talks: a statement is prepared and described up to a Sync, and run up to another. */
class PreparingClient {
  readonly #client: WireClient;
  #statements = 0;

  constructor(client: WireClient) {
    this.#client = client;
  }

  get #name(): string {
    return `__asyncpg_stmt_${this.#statements.toString(16)}__`;
  }

  async prepare(sql: string): Promise<readonly string[]> {
    this.#statements += 1;
    return await this.ask([parse(sql, this.#name), describing("S", this.#name), sync]);
  }

  async run(): Promise<readonly string[]> {
    return await this.ask([bind([], { statement: this.#name }), execute(), sync]);
  }

  /** What it does with a statement whose plan is not valid any more. */
  async dropStatement(): Promise<readonly string[]> {
    return await this.ask([close("S", this.#name), sync]);
  }

  async ask(messages: readonly Buffer[]): Promise<readonly string[]> {
    await this.#client.send([Buffer.concat(messages)]);
    return await this.#client.transcript.login(AbortSignal.timeout(LIMIT_MS));
  }
}

const isStale = (lines: readonly string[]): boolean => lines.some((line) => line.includes("0A000"));

test("P3: clients that prepare again when a table has changed are told so once at most", async () => {
  const { port, user, database } = pooler.address;
  await pooler.postgres.sql("create table changing (a int)");
  await pooler.postgres.sql("insert into changing values (1)");
  await using wires = new AsyncDisposableStack();
  const clients = await Promise.all(
    Array.from({ length: 2 * CAPACITY }, async () => {
      const wire = wires.use(await WireClient.connect(port, { user, database }));
      await wire.transcript.login(AbortSignal.timeout(LIMIT_MS));
      const client = new PreparingClient(wire);
      await client.prepare("select * from changing");
      return client;
    }),
  );
  const columnsOf = (lines: readonly string[]): string | undefined =>
    lines.find((line) => line.startsWith("D"));
  let before: string | undefined;
  for (let round = 1; round <= 5; round += 1) {
    // Each of the connections has the statement.
    await Promise.all(clients.map((client) => client.run()));
    await pooler.postgres.sql(`alter table changing add column c${round} int default ${round}`);
    const rows = await Promise.all(
      clients.map(async (client, index) => {
        const isInTransaction = index % 2 === 1;
        if (isInTransaction) {
          await client.ask([query("begin")]);
        }
        let answer = await client.run();
        if (isStale(answer)) {
          expect(answer.at(-1)).toBe(isInTransaction ? "Z E" : "Z I");
          if (isInTransaction) {
            expect((await client.ask([query("rollback")])).at(-1)).toBe("Z I");
          }
          await client.dropStatement();
          await client.prepare("select * from changing");
          answer = await client.run();
        } else if (isInTransaction) {
          await client.ask([query("commit")]);
        }
        return columnsOf(answer);
      }),
    );
    // All have the new column.
    expect(new Set(rows).size).toBe(1);
    expect(rows[0]).not.toBe(before);
    before = rows[0];
  }
});
