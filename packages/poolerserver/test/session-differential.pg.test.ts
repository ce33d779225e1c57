import type { EmbeddedPostgres, TemporaryDatabase } from "@multipooler/embedded-postgres";
import { BackendConnection, RawUnit } from "@multipooler/pgwire";
import fc from "fast-check";
import { expect, test } from "vitest";
import { bind, close, describe, execute, extended, parse, query, sync } from "./frontend.ts";
import { TestClient } from "./session-client.ts";
import { SessionScene } from "./session-scene.ts";
import { useDatabases } from "./test-server.ts";

const CLIENTS = 3;
const CAPACITY = 2;

let postgres: EmbeddedPostgres;
let database: TemporaryDatabase;

useDatabases((started, created) => {
  postgres = started;
  database = created;
});

/** A client on a connection of its own. */
class DirectClient {
  readonly #connection: BackendConnection;
  readonly #client = new TestClient();

  static async open(settings: Readonly<Record<string, string>>): Promise<DirectClient> {
    const { host, port, user, password } = postgres;
    return new DirectClient(
      await BackendConnection.connect({
        address: { type: "tcp", host, port },
        user,
        database: database.name,
        credential: async () => await Promise.resolve({ type: "password", password } as const),
        parameters: settings,
      }),
    );
  }

  private constructor(connection: BackendConnection) {
    this.#connection = connection;
  }

  async ask(bytes: Buffer): Promise<readonly string[]> {
    const receiver = {
      span: (span: Uint8Array) => this.#client.write(span),
      settle: () => undefined,
    };
    this.#connection.send(new RawUnit({ bytes, receiver }));
    return await this.#client.answers();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#connection.close();
  }
}

const name = fc.constantFrom("a", "b", "c");
const text = fc.constantFrom(
  "select 1",
  "select 'two'",
  "select current_setting('work_mem')",
  "select x from t order by x",
  "selec",
  "select 1 / x from t",
  "begin",
  "commit",
);
const setting = fc.constantFrom(
  "set work_mem = '70kB'",
  "set work_mem = '71kB'",
  "set local work_mem = '72kB'",
  "set work_mem = 'no'",
  "set datestyle = 'SQL, DMY'",
  "set search_path = other",
  "set app.x = 'y'",
  "reset work_mem",
  "reset datestyle",
  "reset search_path",
  "select set_config('work_mem', '73kB', false)",
  "set work_mem = '74kB'; select 1 / 0",
);
const plain = fc.constantFrom(
  "begin",
  "begin",
  "commit",
  "rollback",
  "savepoint s",
  "rollback to s",
  "select 1 / 0",
  "discard all",
  "deallocate all",
  "reset all",
  "show work_mem",
  "show datestyle",
  "select x from t order by x",
  "select coalesce(current_setting('app.x', true), '')",
  "select ''",
);
const command = fc.oneof(
  fc.tuple(name, text).map(([called, sql]) => `prepare ${called} as ${sql}`),
  name.map((called) => `execute ${called}`),
  name.map((called) => `deallocate ${called}`),
);
const message = fc.oneof(
  fc.tuple(name, text).map(([called, sql]) => parse(sql, called)),
  name.map((called) => Buffer.concat([bind([], { statement: called }), execute()])),
  name.map((called) => describe("S", called)),
  name.map((called) => close("S", called)),
  text.map((sql) => Buffer.concat([parse(sql), bind(), execute()])),
);
const unit = fc.oneof(
  plain.map((sql) => query(sql)),
  setting.map((sql) => query(sql)),
  setting.filter((sql) => !sql.includes(";")).map((sql) => extended(sql)),
  command.map((sql) => query(sql)),
  command.map((sql) => extended(sql)),
  fc.array(message, { minLength: 1, maxLength: 4 }).map((parts) => Buffer.concat([...parts, sync])),
  fc
    .tuple(text, fc.boolean())
    .map(([sql, isDescribed]) =>
      Buffer.concat([parse(sql), ...(isDescribed ? [describe("S")] : []), sync]),
    ),
  fc.constant(Buffer.concat([bind(), execute(), sync])),
);
const steps = fc.array(fc.tuple(fc.nat({ max: CLIENTS - 1 }), unit), { maxLength: 40 });

/** When a client is told a setting is not compared: what it is, is asked for. */
function compared(messages: readonly string[]): readonly string[] {
  return messages.filter((words) => words !== "S");
}

test("clients of few connections are answered as if each had its own", async () => {
  await postgres.sql(
    "create schema other; create table t as select 1 as x; create table other.t as select 'o' as x",
    { database: database.name },
  );
  await fc.assert(
    fc.asyncProperty(steps, async (conversation) => {
      await using pooler = await SessionScene.open({
        postgres,
        database: database.name,
        capacity: CAPACITY + 1,
      });
      await using stack = new AsyncDisposableStack();
      const settings = [{}, { work_mem: "65kB" }, { DateStyle: "German", search_path: "other" }];
      const pairs = await Promise.all(
        settings.map(async (own) => ({
          pooled: await pooler.connect(own),
          direct: stack.use(await DirectClient.open(own)),
        })),
      );
      for (const [index, bytes] of conversation) {
        const pair = pairs[index];
        if (pair !== undefined) {
          const expected = compared(await pair.direct.ask(bytes));
          expect(compared(await pair.pooled.ask(bytes)), bytes.toString("latin1")).toEqual(
            expected,
          );
        }
      }
      for (const { pooled, direct } of pairs) {
        await pooled.ask(query("rollback"));
        await direct.ask(query("rollback"));
        for (const shown of ["work_mem", "datestyle", "search_path"]) {
          const show = query(`show ${shown}`);
          expect(compared(await pooled.ask(show))).toEqual(compared(await direct.ask(show)));
        }
        await pooled.session.end("now");
      }
      expect(pooler.sessions.size).toBe(0);
      expect(pooler.gate.counts).toEqual({ single: 0, reserved: 0 });
    }),
    { numRuns: 60 },
  );
}, 240_000);
