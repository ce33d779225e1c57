import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect } from "node:tls";
import type { TLSSocket } from "node:tls";
import { ManualClock } from "@multipooler/timing/testing";
import { expect, onTestFinished, test } from "vitest";
import type { TlsFilePaths } from "../src/server/tls-files.ts";
import { SSL_REQUEST, startup } from "./frontend.ts";
import type { RawClient } from "./raw-client.ts";
import { PATIENCE, TestServer } from "./test-server.ts";
import { FIRST_IDENTITY, SECOND_IDENTITY } from "./tls-identities.ts";
import type { PemIdentity } from "./tls-identities.ts";

const TRUST = { trustLoopback: true } as const;

async function filesOf(identity: PemIdentity): Promise<TlsFilePaths> {
  const directory = await mkdtemp(join(tmpdir(), "pgwire tls "));
  onTestFinished(async () => await rm(directory, { recursive: true }));
  const files = { certFile: join(directory, "cert.pem"), keyFile: join(directory, "key.pem") };
  await writeFiles(files, identity);
  return files;
}

async function writeFiles(
  { certFile, keyFile }: TlsFilePaths,
  identity: PemIdentity,
): Promise<void> {
  await writeFile(certFile, identity.cert);
  await writeFile(keyFile, identity.key);
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
  await writeFiles(tls, SECOND_IDENTITY);
  await clock.advance(1000);
  expect(await presented()).not.toBe(first);
  await rm(tls.keyFile);
  await clock.advance(1000);
  expect(await presented()).not.toBe(first);
});

test("files that cannot be used are refused by name at the start", async () => {
  const tls = await filesOf({ cert: FIRST_IDENTITY.cert, key: SECOND_IDENTITY.key });
  await expect(TestServer.start({ tls })).rejects.toMatchObject({
    code: "TLS_FILES_INVALID",
    message: expect.stringContaining(tls.keyFile),
  });
});
