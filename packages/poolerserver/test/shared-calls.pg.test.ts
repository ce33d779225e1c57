import { TcpProxy } from "@multipooler/tcp-proxy";
import type { TestPostgres, TemporaryDatabase } from "@multipooler/test-postgres";
import { expect, test } from "vitest";
import type { MultiPooler } from "../src/multi-pooler.ts";
import { databaseOf, query, servingPooler } from "./pooler-fixture.ts";
import { valuesOf } from "./prepared.ts";
import { failureOf } from "./settled.ts";
import { useDatabases } from "./test-server.ts";

const SYNC = Buffer.from("S\0\0\0\u0004", "latin1");

let postgres: TestPostgres;
let database: TemporaryDatabase;

useDatabases((started, created) => {
  postgres = started;
  database = created;
});

/** Sees how many statements with `mark` a pooler with one connection has sent together. */
class Wire implements AsyncDisposable {
  readonly pooler: MultiPooler;
  readonly #proxy: TcpProxy;
  readonly #seen: { most: number };

  private constructor(pooler: MultiPooler, proxy: TcpProxy, seen: { most: number }) {
    this.pooler = pooler;
    this.#proxy = proxy;
    this.#seen = seen;
  }

  static async open(mark: string | Buffer): Promise<Wire> {
    const seen = { most: 0 };
    const proxy = await TcpProxy.before(postgres.port, (bytes) => {
      seen.most = Math.max(seen.most, countOf(bytes, mark));
    });
    const place = databaseOf(postgres, { database: database.name, port: proxy.port });
    return new Wire(await servingPooler(place, { capacity: 1 }), proxy, seen);
  }

  get sentTogether(): number {
    return this.#seen.most;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.pooler.close();
    await this.#proxy[Symbol.asyncDispose]();
  }
}

function countOf(bytes: Buffer, mark: string | Buffer): number {
  let count = 0;
  for (let at = bytes.indexOf(mark); at !== -1; at = bytes.indexOf(mark, at + 1)) {
    count += 1;
  }
  return count;
}

test("what writes, or was never seen, has its connection alone", async () => {
  await using wire = await Wire.open("into t values");
  await query(wire.pooler, "create table t (x int)");
  for (let round = 0; round < 30; round += 1) {
    await Promise.all([1, 2, 3].map((x) => query(wire.pooler, `insert into t values (${x})`)));
  }
  expect(wire.sentTogether).toBe(1);
  await using reads = await Wire.open("from t as fresh");
  await Promise.all([1, 2, 3].map((x) => query(reads.pooler, `select ${x} from t as fresh`)));
  expect(reads.sentTogether).toBe(1);
});

test.each<
  [string, string | Buffer, (pooler: MultiPooler, divisor: number) => Promise<(string | null)[]>]
>([
  [
    "simple",
    "select 100 /",
    async (pooler, x) => (await query(pooler, `select 100 / ${x}`)).values,
  ],
  ["prepared", SYNC, (pooler, x) => valuesOf(pooler, "select 100 / $1::int", [x])],
])(
  "short reads share a connection when they are %s, and have their own answers and errors",
  async (_, mark, divide) => {
    await using wire = await Wire.open(mark);
    // When they are known to be short is for the machine to say.
    for (let rounds = 0; wire.sentTogether < 3 || rounds < 20; rounds += 1) {
      const bad = failureOf(divide(wire.pooler, 0));
      const answers = [1, 2, 4, 5].map((divisor) => divide(wire.pooler, divisor));
      expect(await Promise.all(answers)).toEqual([["100"], ["50"], ["25"], ["20"]]);
      expect(await bad).toMatchObject({ code: "DATABASE_ERROR", diagnostic: { code: "22012" } });
    }
  },
);
