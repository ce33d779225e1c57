import { once } from "node:events";
import { rm, writeFile } from "node:fs/promises";
import { connect } from "node:tls";
import type { TLSSocket } from "node:tls";
import { ManualClock } from "@multipooler/timing/testing";
import { PgwireError } from "@multipooler/pgwire";
import type { ConnectOptions } from "@multipooler/pgwire";
import type { ServerTlsPaths, TlsSettings } from "@multipooler/tls";
import { Authority, PemDirectory } from "@multipooler/tls-identities";
import type { PemIdentity } from "@multipooler/tls-identities";
import { expect, onTestFinished, test } from "vitest";
import { CLIENT_CERTIFICATES } from "../src/login/certificate-check.ts";
import type { ClientCertificateDemand } from "../src/login/certificate-check.ts";
import { saslInitial, SSL_REQUEST, startup } from "./frontend.ts";
import type { RawClient } from "./raw-client.ts";
import { PATIENCE, TestServer } from "./test-server.ts";

const TRUST = { trustLoopback: true } as const;

const AUTHORITY = new Authority();
const FIRST_IDENTITY = AUTHORITY.issue();
const SECOND_IDENTITY = AUTHORITY.issue();

async function filesOf({ cert, key }: PemIdentity, clientCa?: string): Promise<ServerTlsPaths> {
  const pem = await PemDirectory.create();
  onTestFinished(async () => await pem[Symbol.asyncDispose]());
  return {
    certFile: await pem.write("cert.pem", cert),
    keyFile: await pem.write("key.pem", key),
    ...(clientCa !== undefined && { clientCaFile: await pem.write("clients.pem", clientCa) }),
  };
}

/** Goes on in TLS, and returns its socket. */
async function encrypt(client: RawClient, alpn?: string): Promise<TLSSocket> {
  client.socket.removeAllListeners("data");
  const secure = connect({
    socket: client.socket,
    rejectUnauthorized: false,
    ...(alpn === undefined ? {} : { ALPNProtocols: [alpn] }),
  });
  await once(secure, "secureConnect");
  client.attach(secure);
  return secure;
}

test("a client that asks for TLS gets it, and goes on inside", async () => {
  await using scene = await TestServer.start({ ...TRUST, tls: await filesOf(FIRST_IDENTITY) });
  await using client = await scene.connect();
  client.send(SSL_REQUEST);
  expect(await client.byte()).toBe("S");
  await encrypt(client);
  client.send(startup());
  expect((await client.answers()).at(-1)).toBe("Z I");
  client.socket.end();
  await scene.manager.session.until(({ isEnded }) => isEnded);
});

test("TLS may begin at once if it names the protocol", async () => {
  await using scene = await TestServer.start({ ...TRUST, tls: await filesOf(FIRST_IDENTITY) });
  await using client = await scene.connect();
  await encrypt(client, "postgresql");
  client.send(startup());
  expect((await client.answers()).at(-1)).toBe("Z I");
  await using nameless = await scene.connect();
  await encrypt(nameless);
  nameless.send(startup());
  expect(await nameless.end()).toBe("");
  expect(scene.manager.sessions).toHaveLength(1);
});

test("TLS that is not configured ends a connection that begins with it", async () => {
  await using scene = await TestServer.start(TRUST);
  await using client = await scene.connect();
  client.send(Buffer.from("16030100c8010000c4", "hex"));
  expect(await client.end()).toBe("");
});

test("bytes that come before TLS are not taken for bytes inside", async () => {
  await using scene = await TestServer.start({ ...TRUST, tls: await filesOf(FIRST_IDENTITY) });
  await using client = await scene.connect();
  client.send(SSL_REQUEST, startup());
  expect(await client.answers()).toEqual([
    "FATAL 08P01 received unencrypted data after SSL request",
  ]);
  expect(scene.manager.sessions).toEqual([]);
});

test("a handshake that fails or never comes harms nobody", async () => {
  const clock = new ManualClock();
  const tls = await filesOf(FIRST_IDENTITY);
  await using scene = await TestServer.start({ ...TRUST, tls, clock, loginTimeoutMs: 1000 });
  await using noisy = await scene.connect();
  noisy.send(SSL_REQUEST);
  expect(await noisy.byte()).toBe("S");
  noisy.send(startup());
  await noisy.end();
  await using silent = await scene.connect();
  silent.send(SSL_REQUEST);
  expect(await silent.byte()).toBe("S");
  await clock.advance(1000);
  await silent.end();
  await using leaving = await scene.connect();
  leaving.send(SSL_REQUEST);
  expect(await leaving.byte()).toBe("S");
  leaving.socket.resetAndDestroy();
  await expect.poll(() => scene.server.count.connections, PATIENCE).toBe(0);
});

test("files that are replaced are used from the next connection on, unless they are broken", async () => {
  const clock = new ManualClock();
  const tls = await filesOf(FIRST_IDENTITY);
  await using scene = await TestServer.start({ ...TRUST, tls, clock });
  const presented = async (): Promise<string> => {
    await using client = await scene.connect();
    client.send(SSL_REQUEST);
    await client.byte();
    const secure = await encrypt(client);
    return secure.getPeerX509Certificate()?.fingerprint256 ?? "";
  };
  const first = await presented();
  await writeFile(tls.certFile, SECOND_IDENTITY.cert);
  await clock.advance(1000);
  expect(await presented()).toBe(first);
  expect(scene.log).toContainEqual([
    "error",
    "the new certificate for clients cannot be used",
    expect.objectContaining(tls),
  ]);
  await writeFile(tls.keyFile, SECOND_IDENTITY.key);
  await clock.advance(1000);
  expect(await presented()).not.toBe(first);
  await rm(tls.keyFile);
  await clock.advance(1000);
  expect(await presented()).not.toBe(first);
});

test("a reload takes the files at once, and tells what is wrong with them", async () => {
  const clock = new ManualClock();
  const tls = await filesOf(FIRST_IDENTITY);
  await using scene = await TestServer.start({ ...TRUST, tls, clock });
  await writeFile(tls.certFile, SECOND_IDENTITY.cert);
  expect(() => scene.server.prepare(tls)).toThrow(
    expect.objectContaining({ code: "TLS_FILES_INVALID" }),
  );
  await writeFile(tls.keyFile, SECOND_IDENTITY.key);
  scene.server.prepare(tls)();
  await using client = await scene.connect();
  client.send(SSL_REQUEST);
  await client.byte();
  const secure = await encrypt(client);
  const shown = secure.getPeerX509Certificate()?.toString();
  expect(shown?.trim()).toBe(SECOND_IDENTITY.cert.trim());
});

test("files that cannot be used are refused by name at the start", async () => {
  const tls = await filesOf({ cert: FIRST_IDENTITY.cert, key: SECOND_IDENTITY.key });
  await expect(TestServer.start({ tls })).rejects.toMatchObject({
    code: "TLS_FILES_INVALID",
    message: expect.stringContaining(tls.keyFile),
  });
});

/** How a client reaches the server over TLS and what it shows. */
function over({ cert, key }: Partial<PemIdentity> = {}): () => TlsSettings {
  const tls: TlsSettings = {
    mode: "verify-full",
    ca: AUTHORITY.cert,
    channelBinding: "require",
    certificate: cert,
    key,
  };
  return () => tls;
}

test("SCRAM is bound to the certificate where the client asks for it", async () => {
  await using scene = await TestServer.start({ tls: await filesOf(FIRST_IDENTITY) });
  await using connection = await scene.logIn({ tls: over() });
  expect(connection.state).toBe("open");
  expect(scene.manager.session.caller.keys).toBeDefined();
});

test("a client that believes that there is no channel binding is refused: its list was cut", async () => {
  await using scene = await TestServer.start({ tls: await filesOf(FIRST_IDENTITY) });
  await using client = await scene.connect();
  client.send(SSL_REQUEST);
  await client.byte();
  await encrypt(client);
  client.send(startup());
  expect((await client.message()).bytes.toString("latin1")).toContain(
    "SCRAM-SHA-256-PLUS\0SCRAM-SHA-256\0",
  );
  client.send(saslInitial("y,,n=,r=abc"));
  expect(await client.answers()).toEqual(["FATAL 28000 SCRAM channel binding negotiation error"]);
});

const CLIENTS = new Authority("clients");
const ALICE = CLIENTS.issue({ commonName: "alice" });
const BOB = CLIENTS.issue({ commonName: "bob" });
const STRANGER = new Authority("strangers").issue({ commonName: "alice" });
const EXPIRED = CLIENTS.issue({ commonName: "alice", notAfter: new Date("2020-01-01") });

const LET_IN = "let in";
const NO_CERTIFICATE = "28000 connection requires a valid client certificate";
const OTHER_ROLE = '28000 certificate authentication failed for user "alice"';

const SHOWN = { nothing: undefined, ALICE, BOB, STRANGER, EXPIRED } as const;

/** What becomes of alice, by what the server asks for and what she shows. */
const LOGINS: Readonly<
  Record<ClientCertificateDemand, Readonly<Record<keyof typeof SHOWN, string>>>
> = {
  none: { nothing: LET_IN, ALICE: LET_IN, BOB: LET_IN, STRANGER: LET_IN, EXPIRED: LET_IN },
  "verify-ca": {
    nothing: NO_CERTIFICATE,
    ALICE: LET_IN,
    BOB: LET_IN,
    STRANGER: NO_CERTIFICATE,
    EXPIRED: NO_CERTIFICATE,
  },
  "verify-full": {
    nothing: NO_CERTIFICATE,
    ALICE: LET_IN,
    BOB: OTHER_ROLE,
    STRANGER: NO_CERTIFICATE,
    EXPIRED: NO_CERTIFICATE,
  },
  cert: {
    nothing: NO_CERTIFICATE,
    ALICE: LET_IN,
    BOB: OTHER_ROLE,
    STRANGER: NO_CERTIFICATE,
    EXPIRED: NO_CERTIFICATE,
  },
};

/** "let in", or SQLSTATE and message. */
async function logIn(scene: TestServer, options: Partial<ConnectOptions>): Promise<string> {
  try {
    await using connection = await scene.logIn(options);
    return connection.state === "open" ? LET_IN : connection.state;
  } catch (error) {
    if (error instanceof PgwireError && error.diagnostic !== undefined) {
      return `${error.diagnostic.code} ${error.diagnostic.message}`;
    }
    throw error;
  }
}

test.each(CLIENT_CERTIFICATES)("clients need a certificate of the kind %s", async (kind) => {
  const tls = await filesOf(FIRST_IDENTITY, CLIENTS.cert);
  await using scene = await TestServer.start({ tls, clientCertificate: kind });
  for (const [name, shown] of Object.entries(SHOWN)) {
    const settings = { ...over(shown)(), channelBinding: "prefer" } as const;
    const outcome = await logIn(scene, { tls: () => settings });
    expect([name, outcome]).toEqual([name, Reflect.get(LOGINS[kind], name)]);
  }
  const plain = await logIn(scene, { tls: undefined });
  expect(plain).toBe(kind === "none" ? LET_IN : NO_CERTIFICATE);
});

test("clients that do not encrypt are refused in PostgreSQL's words where TLS is required", async () => {
  const tls = await filesOf(FIRST_IDENTITY);
  await using scene = await TestServer.start({ tls, tlsRequired: true, trustLoopback: true });
  const settings = { ...over()(), channelBinding: "prefer" } as const;
  expect(await logIn(scene, { tls: () => settings })).toBe(LET_IN);
  expect(await logIn(scene, { tls: undefined })).toMatch(
    /^28000 no pg_hba\.conf entry for host ".+", user "alice", database ".+", no encryption$/,
  );
});

test("TLS cannot be required of clients where it is not spoken", async () => {
  await expect(TestServer.start({ tlsRequired: true })).rejects.toMatchObject({
    code: "INVALID_ARGUMENT",
    message: "tlsRequired needs tls: the files of the server",
  });
});

test("a certificate takes the place of a password with cert only", async () => {
  const tls = await filesOf(FIRST_IDENTITY, CLIENTS.cert);
  const settings: TlsSettings = { ...over(ALICE)(), channelBinding: "prefer" };
  const withoutPassword = { tls: () => settings, credential: undefined };
  await using byCertificate = await TestServer.start({ tls, clientCertificate: "cert" });
  expect(await logIn(byCertificate, withoutPassword)).toBe(LET_IN);
  expect(byCertificate.manager.session.caller.keys).toBeUndefined();
  await using both = await TestServer.start({ tls, clientCertificate: "verify-full" });
  await expect(logIn(both, withoutPassword)).rejects.toMatchObject({
    code: "AUTHENTICATION_FAILED",
  });
});

test("a certificate of the wrong kind is refused in words that the log explains", async () => {
  const tls = await filesOf(FIRST_IDENTITY, CLIENTS.cert);
  await using scene = await TestServer.start({ tls });
  const settings = { ...over(EXPIRED)(), channelBinding: "prefer" } as const;
  expect(await logIn(scene, { tls: () => settings })).toBe(NO_CERTIFICATE);
  expect(scene.log).toContainEqual([
    "warn",
    "a client was refused",
    expect.objectContaining({ reason: expect.stringContaining("CERT_HAS_EXPIRED") }),
  ]);
});

test("authorities that are replaced count from the next connection on", async () => {
  const clock = new ManualClock();
  const tls = await filesOf(FIRST_IDENTITY, CLIENTS.cert);
  await using scene = await TestServer.start({ tls, clock, clientCertificate: "verify-full" });
  const settings = { ...over(ALICE)(), channelBinding: "prefer" } as const;
  expect(await logIn(scene, { tls: () => settings })).toBe(LET_IN);
  await writeFile(tls.clientCaFile ?? "", new Authority("clients").cert);
  await clock.advance(1000);
  expect(await logIn(scene, { tls: () => settings })).toBe(NO_CERTIFICATE);
});

test("a kind of certificate without authorities is refused by name", async () => {
  const tls = await filesOf(FIRST_IDENTITY);
  await expect(TestServer.start({ tls, clientCertificate: "cert" })).rejects.toMatchObject({
    code: "INVALID_ARGUMENT",
    message: 'clientCertificate "cert" needs tls.clientCaFile: the authorities of clients',
  });
});

test("many clients at once each get their own connection, and their own certificate", async () => {
  const tls = await filesOf(FIRST_IDENTITY, CLIENTS.cert);
  await using scene = await TestServer.start({ tls, clientCertificate: "verify-full" });
  const outcomes = await Promise.all(
    Array.from({ length: 40 }, async (_, index) => {
      const settings = {
        ...over(index % 2 === 0 ? ALICE : BOB)(),
        channelBinding: "prefer",
      } as const;
      return await logIn(scene, { tls: () => settings });
    }),
  );
  expect(outcomes).toEqual(
    Array.from({ length: 40 }, (_, index) => (index % 2 === 0 ? LET_IN : OTHER_ROLE)),
  );
});
