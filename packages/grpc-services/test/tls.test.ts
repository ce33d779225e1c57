import { once } from "node:events";
import { rm } from "node:fs/promises";
import { connect as connectSocket } from "node:net";
import { Authority, PemDirectory } from "@multipooler/tls-identities";
import type { PemIdentity } from "@multipooler/tls-identities";
import { expect, onTestFinished, test } from "vitest";
import { connect } from "../src/client/index.ts";
import type { ClientTls, PoolerClient } from "../src/client/index.ts";
import type { GrpcTlsOptions } from "../src/server/connection/grpc-tls.ts";
import { startServer } from "./test-server.ts";

const SERVERS = new Authority("servers");
const CLIENTS = new Authority("clients");
const GATEWAY = CLIENTS.issue({ commonName: "gateway.test" });
const STRANGER = new Authority("strangers").issue({ commonName: "gateway.test" });

interface Files {
  readonly pem: PemDirectory;
  readonly tls: GrpcTlsOptions;
}

async function files(more: Partial<GrpcTlsOptions> = {}): Promise<Files> {
  const pem = await PemDirectory.create();
  onTestFinished(async () => await pem[Symbol.asyncDispose]());
  const { cert, key } = SERVERS.issue();
  const certFile = await pem.write("cert.pem", cert);
  const keyFile = await pem.write("key.pem", key);
  return { pem, tls: { certFile, keyFile, ...more } };
}

async function mutual(more: Partial<GrpcTlsOptions> = {}): Promise<Files> {
  const made = await files(more);
  const clientCaFile = await made.pem.write("clients.pem", CLIENTS.cert);
  return { ...made, tls: { ...made.tls, clientCaFile } };
}

function clientOf(address: string, tls: ClientTls | undefined): PoolerClient {
  const client = connect({ address, tls });
  onTestFinished(() => client.close());
  return client;
}

function shown(identity?: PemIdentity): ClientTls {
  return { ca: SERVERS.cert, certificate: identity?.cert, key: identity?.key };
}

/** "served", or the name of the status. */
async function outcome(address: string, tls: ClientTls | undefined): Promise<unknown> {
  const client = clientOf(address, tls);
  try {
    await client.status({ timeoutMs: 10_000 });
    return "served";
  } catch (error) {
    return error instanceof Error && "code" in error ? error.code : error;
  } finally {
    client.close();
  }
}

test("with a certificate the server speaks TLS only", async () => {
  const { tls } = await files();
  await using server = await startServer({ tls });
  expect(await outcome(server.address, shown())).toBe("served");
  expect(await outcome(server.address, { ca: CLIENTS.cert })).toBe("UNAVAILABLE");
  expect(await outcome(server.address, undefined)).toBe("UNAVAILABLE");
});

test("with authorities of clients, only those that one of them certified are served", async () => {
  const { tls } = await mutual();
  await using server = await startServer({ tls });
  expect(await outcome(server.address, shown(GATEWAY))).toBe("served");
  expect(await outcome(server.address, shown(STRANGER))).toBe("UNAVAILABLE");
  expect(await outcome(server.address, shown())).toBe("UNAVAILABLE");
  expect(server.log).toContainEqual([
    "warn",
    "a gRPC client has no certificate that is accepted",
    expect.anything(),
  ]);
});

test.each([
  [["other", "gateway"], "served"],
  [["CN=gateway.test"], "served"],
  [["other"], "UNAUTHENTICATED"],
])("of subjects with a part of %j the gateway is %s", async (allowedSubjects, expected) => {
  const { tls } = await mutual({ allowedSubjects });
  await using server = await startServer({ tls });
  expect(await outcome(server.address, shown(GATEWAY))).toBe(expected);
});

test("a refused client is refused at each of its calls, streams included", async () => {
  const { tls } = await mutual({ allowedSubjects: ["other"] });
  await using server = await startServer({ tls });
  const client = clientOf(server.address, shown(GATEWAY));
  const refused = { code: "UNAUTHENTICATED" };
  await expect(client.status()).rejects.toMatchObject(refused);
  await expect(client.executeQuery({ query: "select 1" })).rejects.toMatchObject(refused);
  await expect(client.streamPoolerHealth()[Symbol.asyncIterator]().next()).rejects.toMatchObject(
    refused,
  );
});

test("files that are replaced count for the next connection, and calls that run go on", async () => {
  const { pem, tls } = await files();
  await using server = await startServer({ tls });
  const before = clientOf(server.address, shown());
  await before.status();
  const other = new Authority("others");
  const { cert, key } = other.issue();
  await pem.write("cert.pem", cert);
  await pem.write("key.pem", key);
  await expect
    .poll(async () => await outcome(server.address, { ca: other.cert }), { timeout: 10_000 })
    .toBe("served");
  expect(await outcome(server.address, shown())).toBe("UNAVAILABLE");
  await before.status();
});

test("a client that never completes its handshake does not hold up a close", async () => {
  const { tls } = await files();
  await using server = await startServer({ tls });
  const socket = connectSocket({ host: "127.0.0.1", port: Number(server.address.split(":")[1]) });
  await once(socket, "connect");
  await expect.poll(() => server.server.connections.open).toBe(1);
  const closed = once(socket, "close");
  socket.resume();
  await server.server.close();
  await closed;
});

test("what cannot work is refused by name", async () => {
  const { tls } = await files();
  const start = (more: Partial<GrpcTlsOptions>): Promise<unknown> =>
    startServer({ tls: { ...tls, ...more } });
  await expect(start({ allowedSubjects: ["x"] })).rejects.toThrow("needs tls.clientCaFile");
  const { tls: both } = await mutual();
  await expect(start({ ...both, allowedSubjects: [] })).rejects.toThrow("allowedSubjects is empty");
  await expect(start({ ...both, allowedSubjects: [""] })).rejects.toThrow("empty text");
  await rm(tls.keyFile);
  await expect(start({})).rejects.toMatchObject({
    code: "TLS_FILES_INVALID",
    message: expect.stringContaining(tls.keyFile),
  });
});
