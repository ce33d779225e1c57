import { createHmac, pbkdf2Sync } from "node:crypto";
import type { ScramKeys } from "@multipooler/query-service";
import { setServerAccess, setServerTls, startPostgres } from "@multipooler/test-postgres";
import type { TestPostgres } from "@multipooler/test-postgres";
import type { TlsMode, TlsSettings } from "@multipooler/tls";
import { Authority } from "@multipooler/tls-identities";
import type { PemIdentity } from "@multipooler/tls-identities";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parseScramVerifier } from "../src/client/scram-verifier.ts";
import { BackendConnection } from "../src/connection/backend-connection.ts";
import type { ConnectOptions } from "../src/connection/connect-options.ts";
import { SimpleQuery } from "../src/requests/simple-query.ts";
import { ask } from "./ask.ts";
import { RecordingSink } from "./recording-sink.ts";
import { TlsInterceptor } from "./tls-interceptor.ts";

const OURS = new Authority("ours");
const OTHERS = new Authority("others");
const PASSWORD = "a password";

let postgres: TestPostgres;
beforeAll(async () => {
  postgres = await startPostgres({ auth: "scram-sha-256", password: PASSWORD });
});
afterAll(async () => await postgres[Symbol.asyncDispose]());

function connect(tls: TlsSettings, more: Partial<ConnectOptions> = {}): Promise<BackendConnection> {
  return BackendConnection.connect(
    {
      address: { type: "tcp", host: postgres.host, port: postgres.port },
      user: postgres.user,
      database: "postgres",
      credential: async () => ({ type: "password", password: PASSWORD }),
      tls: () => tls,
      ...more,
    },
    { signal: AbortSignal.timeout(10_000) },
  );
}

async function isEncrypted(connection: BackendConnection): Promise<boolean> {
  const sink = new RecordingSink();
  const sql = "select ssl from pg_stat_ssl where pid = pg_backend_pid()";
  await ask(connection, sql, sink);
  return sink.rows[0]?.[0] === "t";
}

/** "plain", "encrypted", or the error's message. */
async function outcome(tls: TlsSettings, more: Partial<ConnectOptions> = {}): Promise<string> {
  try {
    await using connection = await connect(tls, more);
    return (await isEncrypted(connection)) ? "encrypted" : "plain";
  } catch (error) {
    const { code, message } = expectError(error);
    expect(code).toBe("TLS_FAILED");
    return message;
  }
}

function expectError(error: unknown): { readonly code: unknown; readonly message: string } {
  if (error instanceof Error && "code" in error) {
    return { code: error.code, message: error.message };
  }
  throw error;
}

type ServerKind = "plain" | "trusted" | "untrusted" | "misnamed" | "expired";

const SERVERS: Readonly<Record<ServerKind, PemIdentity | undefined>> = {
  plain: undefined,
  trusted: OURS.issue(),
  untrusted: OTHERS.issue(),
  misnamed: OURS.issue({ names: ["elsewhere.test", "10.0.0.1"] }),
  expired: OURS.issue({ notAfter: new Date("2020-01-01") }),
};

const ENCRYPTED = /^encrypted$/;
const PLAIN = /^plain$/;
const NONE = /the server offers no TLS, and sslmode is "(?:require|verify-ca|verify-full)"$/;
const UNTRUSTED = /sslmode "verify-[a-z]+"\): its authority is not among those of sslrootcert$/;
const EXPIRED = /sslmode "verify-[a-z]+"\): it has expired$/;
const MISNAMED = /it is for another server\. .*127\.0\.0\.1.*10\.0\.0\.1/;

const OUTCOMES: Readonly<Record<ServerKind, Readonly<Record<TlsMode, RegExp>>>> = {
  plain: {
    disable: PLAIN,
    prefer: PLAIN,
    require: NONE,
    "verify-ca": NONE,
    "verify-full": NONE,
  },
  trusted: {
    disable: PLAIN,
    prefer: ENCRYPTED,
    require: ENCRYPTED,
    "verify-ca": ENCRYPTED,
    "verify-full": ENCRYPTED,
  },
  untrusted: {
    disable: PLAIN,
    prefer: ENCRYPTED,
    require: ENCRYPTED,
    "verify-ca": UNTRUSTED,
    "verify-full": UNTRUSTED,
  },
  misnamed: {
    disable: PLAIN,
    prefer: ENCRYPTED,
    require: ENCRYPTED,
    "verify-ca": ENCRYPTED,
    "verify-full": MISNAMED,
  },
  expired: {
    disable: PLAIN,
    prefer: ENCRYPTED,
    require: ENCRYPTED,
    "verify-ca": EXPIRED,
    "verify-full": EXPIRED,
  },
};

const MODES = ["disable", "prefer", "require", "verify-ca", "verify-full"] as const;
const KINDS = ["plain", "trusted", "untrusted", "misnamed", "expired"] as const;

describe.each(KINDS)("a server that is %s", (kind) => {
  beforeAll(async () => await setServerTls(postgres, SERVERS[kind]));

  test.each(MODES)("and the mode %s", async (mode) => {
    const verifies = mode === "verify-ca" || mode === "verify-full";
    const tls = { mode, ...(verifies && { ca: OURS.cert }) };
    expect(await outcome(tls)).toMatch(OUTCOMES[kind][mode]);
  });
});

test("authorities make weaker modes verify too, as in libpq", async () => {
  await setServerTls(postgres, SERVERS.untrusted);
  const ca = OURS.cert;
  expect(await outcome({ mode: "require", ca })).toContain("sslrootcert");
  expect(await outcome({ mode: "prefer", ca })).toBe("plain");
});

test("verify-full takes the name that it is given, whatever was dialled", async () => {
  await setServerTls(postgres, SERVERS.misnamed);
  const tls = { mode: "verify-full", ca: OURS.cert } as const;
  expect(await outcome({ ...tls, serverName: "elsewhere.test" })).toBe("encrypted");
  expect(await outcome({ ...tls, serverName: "10.0.0.1" })).toBe("encrypted");
  expect(await outcome({ ...tls, serverName: "else.test" })).toContain("elsewhere.test");
});

test("a Unix socket is never encrypted", async () => {
  await setServerTls(postgres, SERVERS.trusted);
  const address = { type: "socket", path: postgres.socketPath } as const;
  expect(await outcome({ mode: "verify-full", ca: OTHERS.cert }, { address })).toBe("plain");
});

test("direct negotiation saves the question, and needs the protocol's name", async () => {
  await setServerTls(postgres, SERVERS.trusted);
  const tls = { mode: "verify-full", negotiation: "direct", ca: OURS.cert } as const;
  expect(await outcome(tls)).toBe("encrypted");
  await setServerTls(postgres, undefined);
  expect(await outcome(tls)).toContain('the TLS handshake failed (sslmode "verify-full")');
});

test("a client certificate lets in where pg_hba.conf asks for one", async () => {
  await postgres.sql("create role carol login");
  await setServerTls(postgres, { ...OURS.issue(), clientCa: OURS.cert });
  await setServerAccess(postgres, ["hostssl all carol all cert"]);
  const carol = { user: "carol", credential: undefined };
  const shown = ({ cert: certificate, key }: PemIdentity): TlsSettings => ({
    mode: "require",
    certificate,
    key,
  });
  expect(await outcome(shown(OURS.issue({ commonName: "carol" })), carol)).toBe("encrypted");
  await expect(connect({ mode: "require" }, carol)).rejects.toMatchObject({
    code: "POSTGRES",
    message: "connection requires a valid client certificate",
  });
  await expect(connect(shown(OURS.issue({ commonName: "bob" })), carol)).rejects.toMatchObject({
    code: "POSTGRES",
    diagnostic: expect.objectContaining({ code: "28000" }),
  });
  // In TLS 1.3 the refusal comes behind the handshake.
  const stranger = shown(OTHERS.issue({ commonName: "carol" }));
  expect(await outcome(stranger, carol)).toMatch(/unknown ca/);
});

test("a cancel request goes over TLS, with the settings of that moment", async () => {
  await setServerAccess(postgres, []);
  await setServerTls(postgres, SERVERS.trusted);
  const asked: TlsSettings[] = [];
  const tls = (): TlsSettings => {
    const settings = { mode: "verify-full", ca: OURS.cert } as const;
    asked.push(settings);
    return settings;
  };
  await using connection = await connect({ mode: "disable" }, { tls });
  const { promise, resolve } = Promise.withResolvers<unknown>();
  const request = new SimpleQuery({
    sql: "select pg_sleep(60)",
    receiver: { event: () => undefined, settle: resolve },
  });
  connection.send(request);
  const active = "select 1 from pg_stat_activity where query = $1 and state = 'active'";
  await expect
    .poll(() => postgres.sql(active, { values: ["select pg_sleep(60)"] }), { timeout: 10_000 })
    .toHaveLength(1);
  await connection.cancel(request, { signal: AbortSignal.timeout(10_000) });
  expect(await promise).toMatchObject({ error: { diagnostic: { code: "57014" } } });
  expect(asked).toHaveLength(2);
});

describe("channel binding", () => {
  beforeAll(async () => {
    await setServerAccess(postgres, []);
    await setServerTls(postgres, SERVERS.trusted);
  });

  test.each(["disable", "prefer", "require"] as const)("%s logs in over TLS", async (mode) => {
    await using connection = await connect({ mode: "require", channelBinding: mode });
    const sink = new RecordingSink();
    await ask(connection, "select 1", sink);
    expect(sink.rows).toEqual([["1"]]);
  });

  test("required, it is refused without TLS and where the server asks for nothing", async () => {
    const required = { mode: "prefer", channelBinding: "require" } as const;
    const address = { type: "socket", path: postgres.socketPath } as const;
    await expect(connect(required, { address })).rejects.toMatchObject({
      code: "AUTHENTICATION_FAILED",
      message: expect.stringContaining("the connection is not encrypted"),
    });
    await setServerAccess(postgres, ["hostssl all trusted all trust"]);
    await postgres.sql("create role trusted login");
    await expect(connect(required, { user: "trusted" })).rejects.toMatchObject({
      code: "AUTHENTICATION_FAILED",
      message: expect.stringContaining("let the client in without SCRAM"),
    });
  });

  test("it finds out that somebody in between decrypts", async () => {
    await using between = await TlsInterceptor.start(
      { type: "tcp", host: postgres.host, port: postgres.port },
      OTHERS.issue(),
    );
    const { address } = between;
    const intercepted = { mode: "require", channelBinding: "disable" } as const;
    expect(await outcome(intercepted, { address })).toBe("encrypted");
    await expect(
      connect({ ...intercepted, channelBinding: "prefer" }, { address }),
    ).rejects.toMatchObject({ code: "POSTGRES", message: "SCRAM channel binding check failed" });
  });

  test("it binds a login with the keys of another one", async () => {
    const keys = await keysOfSuperuser();
    const credential = async () => ({ type: "scramKeys", keys }) as const;
    const required = { mode: "require", channelBinding: "require" } as const;
    expect(await outcome(required, { credential })).toBe("encrypted");
    await using between = await TlsInterceptor.start(
      { type: "tcp", host: postgres.host, port: postgres.port },
      OTHERS.issue(),
    );
    const { address } = between;
    await expect(connect(required, { address, credential })).rejects.toMatchObject({
      message: "SCRAM channel binding check failed",
    });
  });
});

/** What a pooler recovers from the proof of a client. */
async function keysOfSuperuser(): Promise<ScramKeys> {
  const [stored] = await postgres.sql("select rolpassword from pg_authid where rolname = $1", {
    values: [postgres.user],
  });
  const verifier = parseScramVerifier(String(stored?.["rolpassword"]));
  if (verifier === undefined) {
    throw new Error("the superuser has no password");
  }
  const { salt, iterations } = verifier;
  const salted = pbkdf2Sync(PASSWORD, salt, iterations, 32, "sha256");
  const hmac = (text: string): Buffer => createHmac("sha256", salted).update(text).digest();
  return { clientKey: hmac("Client Key"), serverKey: hmac("Server Key") };
}
