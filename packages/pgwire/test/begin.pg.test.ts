import { startPostgres } from "@multipooler/test-postgres";
import type { TestPostgres } from "@multipooler/test-postgres";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { BackendConnection } from "../src/connection/backend-connection.ts";
import type { Prelude } from "../src/connection/prelude.ts";
import type { RequestEnd } from "../src/connection/request.ts";
import {
  SYNC_BYTES,
  encodeStatement,
  executeBytes,
  writeExecute,
  writeSync,
} from "../src/messages/extended-writer.ts";
import { askRaw, queryMessage } from "./ask.ts";

let postgres: TestPostgres;
let connection: BackendConnection;
beforeAll(async () => {
  postgres = await startPostgres();
  await postgres.sql("create table t (x int)");
});
afterAll(async () => {
  await postgres[Symbol.asyncDispose]();
});
beforeEach(async () => {
  connection = await BackendConnection.connect({
    address: { type: "socket", path: postgres.socketPath },
    user: postgres.user,
    database: "postgres",
  });
});
afterEach(async () => {
  await connection.close();
});

interface Ran {
  /** The types of the messages that were passed on, and the status that they end with. */
  readonly said: string;
  readonly end: RequestEnd;
  readonly hasBegun: boolean;
}

async function runIn(statement: string, sql: string): Promise<Ran> {
  let hasBegun = false;
  const begun = (): void => void (hasBegun = true);
  connection.begin({ statement: encodeStatement(statement), begun });
  const { bytes, end } = await askRaw(connection, queryMessage(sql));
  return { said: typesOf(bytes), end, hasBegun };
}

function typesOf(bytes: Buffer): string {
  let types = "";
  for (let at = 0; at < bytes.length; at += 1 + bytes.readInt32BE(at + 1)) {
    types += String.fromCharCode(bytes[at] ?? 0);
  }
  return `${types} ${bytes.toString("latin1", bytes.length - 1)}`;
}

/** Sets one setting, in a transaction of its own. */
function setting(name: string, value: string): Prelude & { isDone: boolean } {
  return {
    statements: [`select set_config('${name}', '${value}', false)`, "BEGIN", "COMMIT"],
    reports: new Map([[name, value]]),
    isDone: false,
    done() {
      this.isDone = true;
    },
  };
}

test("a request is in the transaction that begins ahead of it, and only it is answered", async () => {
  const ran = await runIn("BEGIN read only", "show transaction_read_only");
  expect(ran).toMatchObject({ said: "TDCZ T", hasBegun: true });
  expect(ran.end).toMatchObject({ type: "ready", transactionStatus: "T", error: undefined });
  const { bytes } = await askRaw(connection, queryMessage("insert into t values (1)"));
  expect(typesOf(bytes)).toBe("EZ E");
});

test("a request that fails leaves the transaction failed", async () => {
  const ran = await runIn("begin", "select 1/0");
  expect(ran).toMatchObject({ said: "EZ E", hasBegun: true });
  expect(connection.transactionStatus).toBe("E");
});

test("where the transaction does not begin, the request is not run and ends as in a failed one", async () => {
  const ran = await runIn("begin nonsense", "insert into t values (1)");
  expect(ran).toMatchObject({ said: "EZ E", hasBegun: false });
  expect(ran.end).toMatchObject({
    transactionStatus: "I",
    error: { diagnostic: { code: "42601" } },
  });
  expect(connection.transactionStatus).toBe("I");
  expect(await postgres.sql("select 1 from t")).toEqual([]);
});

test("it begins behind a prelude, which stays when it is rolled back", async () => {
  const prelude = setting("work_mem", "7MB");
  connection.precede(prelude);
  expect(await runIn("begin", "select 1")).toMatchObject({ said: "TDCZ T", hasBegun: true });
  expect(prelude.isDone).toBe(true);
  await askRaw(connection, queryMessage("rollback"));
  const { bytes } = await askRaw(connection, queryMessage("show work_mem"));
  expect(bytes.toString("latin1")).toContain("7MB");
});

test("behind a prelude that fails it does not begin", async () => {
  const prelude = setting("work_mem", "nonsense");
  connection.precede(prelude);
  expect(await runIn("begin", "select 1")).toMatchObject({ said: "EZ E", hasBegun: false });
  expect(prelude.isDone).toBe(false);
  expect(connection.transactionStatus).toBe("I");
});

test("a prelude is done although the transaction behind it does not begin", async () => {
  const prelude = setting("work_mem", "7MB");
  connection.precede(prelude);
  expect(await runIn("begin nonsense", "select 1")).toMatchObject({ said: "EZ E" });
  expect(prelude.isDone).toBe(true);
});

test.each(["begin", "a prelude"])("nothing is left to execute of %s", async (ahead) => {
  if (ahead === "begin") {
    connection.begin({ statement: encodeStatement("begin"), begun: () => undefined });
  } else {
    connection.precede(setting("work_mem", "7MB"));
  }
  const group = Buffer.alloc(executeBytes(0) + SYNC_BYTES);
  writeSync(group, writeExecute(group, 0, "", 0));
  const { end } = await askRaw(connection, group);
  expect(end).toMatchObject({ error: { diagnostic: { code: "34000" } } });
});
