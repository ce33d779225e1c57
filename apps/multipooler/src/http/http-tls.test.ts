import { once } from "node:events";
import { Agent, request } from "node:https";
import type { RequestOptions } from "node:https";
import { connect } from "node:net";
import { connect as connectTls } from "node:tls";
import { ManualClock } from "@multipooler/timing/testing";
import { Authority, PemDirectory } from "@multipooler/tls-identities";
import { expect, onTestFinished, test } from "vitest";
import { jsonAnswer } from "./http-answer.ts";
import { HttpServer } from "./http-server.ts";
import { HttpTls } from "./http-tls.ts";
import type { HttpTlsOptions } from "./http-tls.ts";
import type { Route, Routes } from "./route.ts";

const SERVERS = new Authority("servers");
const CLIENTS = new Authority("clients");
const MAX_CONNECTIONS = 4;
const ROUTES: Routes = new Map<string, Route>([
  ["/live", { type: "check", answer: () => jsonAnswer(200, { live: true }) }],
  ["/metrics", { type: "page", answer: () => jsonAnswer(200, { secret: true }) }],
  ["/stream", { type: "stream", open: (response) => void response.writeHead(200).write("a") }],
]);
const noLine = (): void => undefined;
const logger = { debug: noLine, info: noLine, warn: noLine, error: noLine };

interface Scene {
  readonly server: HttpServer;
  readonly pem: PemDirectory;
  readonly clock: ManualClock;
}

async function scene(clientCert?: HttpTlsOptions["clientCert"]): Promise<Scene> {
  const pem = await PemDirectory.create();
  onTestFinished(async () => await pem[Symbol.asyncDispose]());
  const { cert, key } = SERVERS.issue();
  const paths = {
    certFile: await pem.write("cert.pem", cert),
    keyFile: await pem.write("key.pem", key),
    ...(clientCert && { clientCaFile: await pem.write("clients.pem", CLIENTS.cert) }),
  };
  const clock = new ManualClock();
  const tls = new HttpTls({ paths, clientCert: clientCert ?? "required", clock, logger });
  const common = { host: "127.0.0.1", port: 0, maxConnections: MAX_CONNECTIONS };
  const server = new HttpServer({ ...common, routes: ROUTES, tls, logger });
  await server.listen();
  onTestFinished(async () => await server.close());
  return { server, pem, clock };
}

interface Answer {
  readonly status: number | undefined;
  readonly body: string;
}

/** Asks on a connection of its own unless an agent is given. */
async function ask({ server }: Scene, path: string, options: RequestOptions = {}): Promise<Answer> {
  const { promise, resolve, reject } = Promise.withResolvers<Answer>();
  const target = { host: "127.0.0.1", port: server.port, path, ca: SERVERS.cert, agent: false };
  request({ ...target, ...options }, (response) => {
    let body = "";
    response.setEncoding("utf8").on("data", (text: string) => (body += text));
    response.once("end", () => resolve({ status: response.statusCode, body }));
  })
    .once("error", reject)
    .end();
  return await promise;
}

test("HTTP is answered in TLS, and a replaced certificate is shown to the next connection", async () => {
  const all = await scene();
  expect(await ask(all, "/live")).toEqual({ status: 200, body: '{"live":true}\n' });
  await expect(fetch(`http://127.0.0.1:${all.server.port}/live`)).rejects.toThrow("fetch failed");
  const next = new Authority("next");
  const { cert, key } = next.issue();
  await all.pem.write("cert.pem", cert);
  await all.pem.write("key.pem", key);
  await all.clock.advance(1000);
  await expect(ask(all, "/live")).rejects.toThrow("unable to");
  expect((await ask(all, "/live", { ca: next.cert })).status).toBe(200);
});

test.each([
  ["required", "/live", "GET", 403],
  ["required", "/metrics", "GET", 403],
  ["required", "/nothing", "OPTIONS", 403],
  ["optional", "/live", "GET", 200],
  ["optional", "/live", "HEAD", 200],
  ["optional", "/metrics", "OPTIONS", 204],
  ["optional", "/metrics", "GET", 403],
  ["optional", "/stream", "GET", 403],
  ["optional", "/nothing", "GET", 403],
] as const)(
  "with certificates %s, %s %s of a stranger is %i",
  async (demand, path, method, status) => {
    const all = await scene(demand);
    expect((await ask(all, path, { method })).status).toBe(status);
    const stranger = new Authority("clients").issue();
    expect((await ask(all, path, { method, ...stranger })).status).toBe(status);
  },
);

test("a client with a certificate is answered everything, and one without is told why not", async () => {
  const all = await scene("required");
  const own = CLIENTS.issue({ commonName: "prometheus" });
  expect((await ask(all, "/live", own)).status).toBe(200);
  expect(await ask(all, "/metrics", own)).toEqual({ status: 200, body: '{"secret":true}\n' });
  expect(JSON.parse((await ask(all, "/metrics")).body)).toEqual({
    code: "CERTIFICATE_REQUIRED",
    error: "a certificate of the client is needed, and it has shown none",
  });
  const stranger = new Authority("clients").issue();
  expect((await ask(all, "/metrics", stranger)).body).toContain("is not accepted");
});

test("handshakes that do not end give way to new connections", async () => {
  const all = await scene();
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  onTestFinished(() => agent.destroy());
  const silent = connect(all.server.port, "127.0.0.1").on("error", noLine).resume();
  const isGone = once(silent, "close");
  await once(silent, "connect");
  // On one connection, which each answer keeps from being the oldest.
  for (let count = 0; count < MAX_CONNECTIONS; count += 1) {
    expect((await ask(all, "/live", { agent })).status).toBe(200);
    const other = connect(all.server.port, "127.0.0.1").on("error", noLine).resume();
    onTestFinished(() => void other.destroy());
    await once(other, "connect");
  }
  await isGone;
  const [used] = Object.values(agent.freeSockets).flat();
  expect(used?.destroyed).toBe(false);
  expect((await ask(all, "/live", { agent })).status).toBe(200);
  expect(Object.values(agent.freeSockets).flat()).toEqual([used]);
});

test("close ends handshakes and streams", async () => {
  const all = await scene();
  const silent = connect(all.server.port, "127.0.0.1").on("error", noLine).resume();
  await once(silent, "connect");
  const stream = connectTls({ port: all.server.port, host: "127.0.0.1", ca: SERVERS.cert });
  stream.on("error", noLine).write("GET /stream HTTP/1.1\r\nHost: a\r\n\r\n");
  await once(stream, "data");
  const ended = Promise.all([once(silent, "close"), once(stream, "close")]);
  await all.server.close();
  await expect(ended).resolves.toHaveLength(2);
});
