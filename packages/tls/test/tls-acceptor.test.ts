import { once } from "node:events";
import type { Socket } from "node:net";
import { connect } from "node:tls";
import type { ConnectionOptions, TLSSocket } from "node:tls";
import { ManualClock } from "@multipooler/timing/testing";
import { Authority, PemDirectory } from "@multipooler/tls-identities";
import { expect, onTestFinished, test } from "vitest";
import { TlsAcceptor } from "../src/tls-acceptor.ts";
import type { AcceptedTls } from "../src/tls-acceptor.ts";
import { ScriptedServer } from "./scripted-server.ts";

const SERVERS = new Authority("servers");
const CLIENTS = new Authority("clients");
const PROTOCOL = "test";
const noLine = (): void => undefined;

interface Scene {
  readonly acceptor: TlsAcceptor;
  readonly pem: PemDirectory;
  readonly clock: ManualClock;
}

async function scene({ asksClients = true } = {}): Promise<Scene> {
  const pem = await PemDirectory.create();
  onTestFinished(async () => await pem[Symbol.asyncDispose]());
  const { cert, key } = SERVERS.issue();
  const paths = {
    certFile: await pem.write("cert.pem", cert),
    keyFile: await pem.write("key.pem", key),
    clientCaFile: asksClients ? await pem.write("clients.pem", CLIENTS.cert) : undefined,
  };
  const clock = new ManualClock();
  const logger = { info: noLine, error: noLine };
  return {
    acceptor: new TlsAcceptor({ paths, what: "certificate", protocol: PROTOCOL, clock, logger }),
    pem,
    clock,
  };
}

/** What the server has of one client, and the client's socket. */
async function meet(
  acceptor: TlsAcceptor,
  options: ConnectionOptions = {},
): Promise<{ readonly accepted: AcceptedTls; readonly client: TLSSocket }> {
  const { promise, resolve, reject } = Promise.withResolvers<AcceptedTls>();
  const server = await ScriptedServer.start((socket) => {
    acceptor.accept(socket, { signal: AbortSignal.timeout(10_000) }).then(resolve, reject);
  });
  onTestFinished(async () => await server[Symbol.asyncDispose]());
  const client = connect({
    socket: await server.dial(),
    ca: SERVERS.cert,
    servername: "localhost",
    ALPNProtocols: [PROTOCOL],
    ...options,
  });
  client.on("error", noLine);
  onTestFinished(() => void client.destroy());
  return { accepted: await promise, client };
}

test("a client is known by what it showed", async () => {
  const { acceptor } = await scene();
  const shown = CLIENTS.issue({ commonName: "alice" });
  expect((await meet(acceptor, shown)).accepted.client).toEqual({
    type: "verified",
    commonName: "alice",
    subject: "CN=alice",
  });
  expect((await meet(acceptor)).accepted.client).toEqual({ type: "none" });
  const stranger = new Authority("clients").issue({ commonName: "alice" });
  expect((await meet(acceptor, stranger)).accepted.client).toMatchObject({ type: "rejected" });
});

test("a client that is not asked shows nothing", async () => {
  const { acceptor } = await scene({ asksClients: false });
  const { accepted } = await meet(acceptor, CLIENTS.issue({ commonName: "alice" }));
  expect(accepted.client).toEqual({ type: "none" });
});

test("what is said inside arrives, and the hash is that of the certificate that was shown", async () => {
  const { acceptor, pem, clock } = await scene();
  const first = await meet(acceptor);
  const second = SERVERS.issue();
  await pem.write("cert.pem", second.cert);
  await pem.write("key.pem", second.key);
  await clock.advance(1000);
  const next = await meet(acceptor);
  expect(next.accepted.certificateHash).not.toEqual(first.accepted.certificateHash);
  expect(next.client.getPeerX509Certificate()?.toString()).toBe(second.cert);
  first.client.write("hello");
  const [said] = await once(first.accepted.socket, "data");
  expect(String(said)).toBe("hello");
});

test("a client of another protocol is not accepted", async () => {
  const { acceptor } = await scene();
  await expect(meet(acceptor, { ALPNProtocols: ["other"] })).rejects.toMatchObject({
    code: "HANDSHAKE_FAILED",
  });
});

/** Both ends of a connection on which nothing was said. */
async function silent(): Promise<{ readonly near: Socket; readonly far: Socket }> {
  const { promise, resolve } = Promise.withResolvers<Socket>();
  const server = await ScriptedServer.start(resolve);
  onTestFinished(async () => await server[Symbol.asyncDispose]());
  const near = await server.dial();
  near.on("error", noLine);
  onTestFinished(() => void near.destroy());
  return { near, far: await promise };
}

test("an abort, a client that leaves and one that says something else end the wait", async () => {
  const { acceptor } = await scene();
  const abort = new AbortController();
  const one = await silent();
  const aborted = acceptor.accept(one.far, { signal: abort.signal });
  abort.abort(new Error("enough"));
  await expect(aborted).rejects.toThrow("enough");
  const { signal } = new AbortController();
  const two = await silent();
  const left = acceptor.accept(two.far, { signal });
  two.near.destroy();
  await expect(left).rejects.toMatchObject({ code: "HANDSHAKE_FAILED" });
  const three = await silent();
  const strange = acceptor.accept(three.far, { signal });
  three.near.write("GET / HTTP/1.1\r\n\r\n");
  await expect(strange).rejects.toMatchObject({
    code: "HANDSHAKE_FAILED",
    message: expect.stringContaining("http request"),
  });
});

test("a socket that has gone before is refused", async () => {
  const { acceptor } = await scene();
  const { far } = await silent();
  const closed = once(far, "close");
  far.destroy();
  await closed;
  await expect(
    acceptor.accept(far, { signal: new AbortController().signal }),
  ).rejects.toMatchObject({ code: "HANDSHAKE_FAILED" });
});
