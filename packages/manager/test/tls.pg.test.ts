import { setServerAccess, setServerTls, startPostgres } from "@multipooler/test-postgres";
import type { TestPostgres } from "@multipooler/test-postgres";
import type { TlsSettings } from "@multipooler/tls";
import { Authority } from "@multipooler/tls-identities";
import { afterAll, beforeAll, expect, test } from "vitest";
import { listenAsPeer } from "./peer.ts";
import { serverFor } from "./server.ts";

const OURS = new Authority("ours");
const OTHERS = new Authority("others");
const VERIFIED = { mode: "verify-full", ca: OURS.cert } as const;

let postgres: TestPostgres;
beforeAll(async () => {
  postgres = await startPostgres({ auth: "scram-sha-256" });
  await setServerTls(postgres, { ...OURS.issue(), clientCa: OURS.cert });
});
afterAll(async () => await postgres[Symbol.asyncDispose]());

const SSL_SQL = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()";

/** Whether the connection of an administrative statement is encrypted. */
async function isEncrypted(tls: TlsSettings, user = postgres.user): Promise<unknown> {
  await using server = serverFor(postgres, "postgres", { tls: () => tls, user });
  const [row] = await server.query(SSL_SQL);
  return row?.["ssl"];
}

test.each([
  [{ mode: "disable" }, false],
  [{ mode: "prefer" }, true],
  [{ mode: "require" }, true],
  [{ ...VERIFIED, mode: "verify-ca" }, true],
  [VERIFIED, true],
  [{ ...VERIFIED, negotiation: "direct" }, true],
  [{ mode: "require", channelBinding: "require" }, true],
  [{ mode: "require", channelBinding: "disable" }, true],
] as const)("%j encrypts the manager's statements: %s", async (tls, expected) => {
  expect(await isEncrypted(tls)).toBe(expected);
});

test("so are the connections for checks and heartbeats", async () => {
  await using server = serverFor(postgres, "postgres", { tls: () => VERIFIED });
  await using connection = await server.openDedicated("check");
  expect(await connection.query(SSL_SQL, [])).toEqual([{ ssl: true }]);
  expect(server.handle.tls).toEqual({ ...VERIFIED, serverName: postgres.host });
});

test.each([
  [{ ...VERIFIED, ca: OTHERS.cert }, 'not accepted (sslmode "verify-full"): its authority'],
  [{ ...VERIFIED, serverName: "elsewhere.test" }, "it is for another server"],
])("%j is refused with the reason", async (tls, why) => {
  await expect(isEncrypted(tls)).rejects.toMatchObject({
    code: "TLS_FAILED",
    message: expect.stringMatching(/^PostgreSQL at 127\.0\.0\.1:\d+ cannot be connected to as TLS/),
  });
  await expect(isEncrypted(tls)).rejects.toThrow(why);
});

test("a certificate of the pooler's own counts, and another one is refused", async () => {
  await postgres.sql("create role certified login superuser");
  await setServerAccess(postgres, ["hostssl all certified all cert"]);
  const shown = (authority: Authority): TlsSettings => {
    const { cert: certificate, key } = authority.issue({ commonName: "certified" });
    return { mode: "require", certificate, key };
  };
  expect(await isEncrypted(shown(OURS), "certified")).toBe(true);
  await expect(isEncrypted(shown(OTHERS), "certified")).rejects.toMatchObject({
    code: "TLS_FAILED",
    message: expect.stringContaining("unknown ca"),
  });
});

test("channel binding is demanded of a server that lets everybody in", async () => {
  await setServerAccess(postgres, ["hostssl all all all trust"]);
  await expect(isEncrypted({ mode: "require", channelBinding: "require" })).rejects.toThrow(
    'channel_binding is "require", but the server wants no SCRAM',
  );
  await setServerAccess(postgres, []);
});

test("settings that are replaced count from the next connection on", async () => {
  let tls: TlsSettings = VERIFIED;
  await using server = serverFor(postgres, "postgres", { tls: () => tls });
  await server.readFacts();
  await setServerTls(postgres, OTHERS.issue());
  // The connection that is open stays as it is.
  expect(await server.query(SSL_SQL)).toEqual([{ ssl: true }]);
  await expect(server.probe()).rejects.toMatchObject({ code: "TLS_FAILED" });
  tls = { ...VERIFIED, ca: OTHERS.cert };
  await server.probe();
  expect(server.handle.tls.ca).toBe(OTHERS.cert);
  await setServerTls(postgres, { ...OURS.issue(), clientCa: OURS.cert });
});

test("what is no PostgreSQL is called so, and a server without TLS by its fault", async () => {
  await using stranger = await listenAsPeer((socket) => socket.end("SSH-2.0-x\r\n"));
  await using server = serverFor(postgres, "postgres", {
    address: { type: "tcp", host: "127.0.0.1", port: stranger.port },
    tls: () => ({ mode: "prefer" }),
  });
  await expect(server.readFacts()).rejects.toMatchObject({ code: "NOT_POSTGRESQL" });
  await setServerTls(postgres, undefined);
  await expect(isEncrypted({ mode: "require" })).rejects.toMatchObject({
    code: "TLS_FAILED",
    message: expect.stringContaining('the server offers no TLS, and sslmode is "require"'),
  });
});
