import { createHmac, pbkdf2Sync } from "node:crypto";
import type { ScramKeys } from "@multipooler/query-service";
import { startPostgres } from "@multipooler/test-postgres";
import type { TestPostgres } from "@multipooler/test-postgres";
import { afterAll, beforeAll, expect, test } from "vitest";
import type {
  ConnectOptions,
  Credential,
  ServerAddress,
} from "../src/connection/connect-options.ts";
import { BackendConnection } from "../src/connection/backend-connection.ts";
import { saslPrep } from "../src/startup/saslprep.ts";
import { ask } from "./ask.ts";
import { RecordingSink } from "./recording-sink.ts";

const PASSWORD = "pass, w=rd ü\u00a0\u2168";

let postgres: TestPostgres;
beforeAll(async () => {
  postgres = await startPostgres({
    auth: "scram-sha-256",
    password: PASSWORD,
    settings: { max_connections: "8", superuser_reserved_connections: "3" },
  });
});
afterAll(async () => await postgres[Symbol.asyncDispose]());

const overSocket = (): ServerAddress => ({ type: "socket", path: postgres.socketPath });
const overTcp = (): ServerAddress => ({ type: "tcp", host: postgres.host, port: postgres.port });

function connect(more: Partial<ConnectOptions> = {}): Promise<BackendConnection> {
  return BackendConnection.connect({
    address: overSocket(),
    user: postgres.user,
    database: "postgres",
    credential: async () => ({ type: "password", password: PASSWORD }),
    ...more,
  });
}

test.each([
  ["a unix socket", overSocket],
  ["TCP", overTcp],
])("SCRAM over %s lets in who knows the password", async (_case, address) => {
  await using connection = await connect({ address: address() });
  const sink = new RecordingSink();
  await ask(connection, "select current_user", sink);
  expect(sink.rows).toEqual([[postgres.user]]);
});

test("SCRAM lets in who has the keys of the password, and refuses others", async () => {
  const [stored] = await postgres.sql("select rolpassword from pg_authid where rolname = $1", {
    values: [postgres.user],
  });
  const [, iterations, salt = ""] =
    /^SCRAM-SHA-256\$(\d+):([^$]+)\$/.exec(String(stored?.["rolpassword"])) ?? [];
  const salted = pbkdf2Sync(
    saslPrep(PASSWORD),
    Buffer.from(salt, "base64"),
    Number(iterations),
    32,
    "sha256",
  );
  const hmac = (text: string): Buffer => createHmac("sha256", salted).update(text).digest();
  const keys = { clientKey: hmac("Client Key"), serverKey: hmac("Server Key") };
  const withKeys = (some: ScramKeys): Promise<BackendConnection> =>
    connect({ credential: async () => ({ type: "scramKeys", keys: some }) });
  await using connection = await withKeys(keys);
  const sink = new RecordingSink();
  await ask(connection, "select current_user", sink);
  expect(sink.rows).toEqual([[postgres.user]]);
  await expect(withKeys({ ...keys, clientKey: Buffer.alloc(32) })).rejects.toMatchObject({
    code: "POSTGRES",
    diagnostic: { code: "28P01" },
  });
  await expect(withKeys({ ...keys, serverKey: Buffer.alloc(32) })).rejects.toMatchObject({
    code: "AUTHENTICATION_FAILED",
  });
  await expect(withKeys({ ...keys, clientKey: Buffer.alloc(31) })).rejects.toMatchObject({
    code: "INVALID_ARGUMENT",
    message: expect.stringContaining("31 and 32 bytes"),
  });
});

test("a wrong password is refused with PostgreSQL's words", async () => {
  await expect(
    connect({ credential: async () => ({ type: "password", password: "wrong" }) }),
  ).rejects.toMatchObject({
    code: "POSTGRES",
    sent: false,
    diagnostic: { code: "28P01", severity: "FATAL" },
  });
});

test("a user that does not exist is refused like a wrong password", async () => {
  await expect(connect({ user: "a=b,nobody" })).rejects.toMatchObject({
    diagnostic: { code: "28P01", message: expect.stringContaining("a=b,nobody") },
  });
});

test("no password is no attempt", async () => {
  await expect(connect({ credential: undefined })).rejects.toMatchObject({
    code: "AUTHENTICATION_FAILED",
  });
});

test("a database that does not exist is refused", async () => {
  await expect(connect({ database: "nowhere" })).rejects.toMatchObject({
    code: "POSTGRES",
    diagnostic: { code: "3D000" },
  });
});

test("a setting that does not exist is refused", async () => {
  await expect(connect({ parameters: { nonsense: "1" } })).rejects.toMatchObject({
    code: "POSTGRES",
    diagnostic: { code: "42704" },
  });
});

test("a server that is full says so", async () => {
  await postgres.sql("create role ordinary login password 'ordinary'");
  const credential = async (): Promise<Credential> => ({ type: "password", password: "ordinary" });
  const ordinary = { user: "ordinary", credential };
  const connections: BackendConnection[] = [];
  const refusal = await (async () => {
    try {
      for (;;) {
        connections.push(await connect(ordinary));
      }
    } catch (error) {
      return error;
    }
  })();
  expect(refusal).toMatchObject({ code: "POSTGRES", diagnostic: { code: "53300" } });
  expect(connections).toHaveLength(5);
  await Promise.all(connections.map((connection) => connection.close()));
  const again = await connect(ordinary);
  await again.close();
});

test("failed attempts leave no session", async () => {
  await connect({ credential: async () => ({ type: "password", password: "wrong" }) }).catch(
    () => undefined,
  );
  await connect({ database: "nowhere" }).catch(() => undefined);
  const rows = await postgres.sql(
    "select pid from pg_stat_activity where backend_type = 'client backend' and pid <> pg_backend_pid()",
  );
  expect(rows).toEqual([]);
});
