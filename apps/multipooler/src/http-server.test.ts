import { once } from "node:events";
import { request } from "node:http";
import { connect } from "node:net";
import type { Socket } from "node:net";
import { afterEach, expect, test } from "vitest";
import { HttpServer } from "./http-server.ts";
import type { Readiness } from "./http-server.ts";

let readiness: Readiness = { ready: false, details: { reason: "starting" } };
let metrics = (): Promise<string> => Promise.resolve("mg_pooler_up 1\n");
const servers: HttpServer[] = [];

afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.close()));
});

async function listening(): Promise<HttpServer> {
  const server = new HttpServer({
    host: "127.0.0.1",
    port: 0,
    maxConnections: 4,
    settings: [{ name: "cell", value: "zone2", source: "flag", from: "--cell" }],
    readiness: () => readiness,
    metrics: () => metrics(),
  });
  servers.push(server);
  await server.listen();
  return server;
}

function get(server: HttpServer, path: string, init?: RequestInit): Promise<Response> {
  return fetch(`http://127.0.0.1:${server.port}${path}`, init);
}

test("/live answers as soon as it listens", async () => {
  const response = await get(await listening(), "/live");
  expect(response.status).toBe(200);
  expect(response.headers.get("access-control-allow-origin")).toBe("*");
});

test("/ready follows the readiness at each request and tells the reason", async () => {
  const server = await listening();
  const before = await get(server, "/ready");
  expect([before.status, await before.json()]).toEqual([503, { ready: false, reason: "starting" }]);
  readiness = { ready: true, details: {} };
  const after = await get(server, "/ready?verbose=1");
  expect([after.status, await after.json()]).toEqual([200, { ready: true }]);
});

test("/version tells name, version and Node's version", async () => {
  const response = await get(await listening(), "/version");
  expect(await response.json()).toMatchObject({ name: "multipooler", node: process.version });
});

test("/metrics answers in the text format of Prometheus, and with 500 where that fails", async () => {
  const server = await listening();
  const response = await get(server, "/metrics");
  expect(response.headers.get("content-type")).toBe("text/plain; version=0.0.4; charset=utf-8");
  expect([response.status, await response.text()]).toEqual([200, "mg_pooler_up 1\n"]);
  const works = metrics;
  metrics = () => Promise.reject(new Error("cannot be collected"));
  const failed = await get(server, "/metrics");
  metrics = works;
  expect([failed.status, await failed.json()]).toEqual([500, { error: "cannot be collected" }]);
});

test("/config tells what is set and where, and no page of another origin may read it", async () => {
  const response = await get(await listening(), "/config");
  expect(response.headers.get("access-control-allow-origin")).toBeNull();
  expect(await response.json()).toEqual({
    settings: [{ name: "cell", value: "zone2", source: "flag", from: "--cell" }],
  });
});

test("another path is 404, another method 405, HEAD has no body", async () => {
  const server = await listening();
  expect((await get(server, "/nothing")).status).toBe(404);
  const post = await get(server, "/live", { method: "POST", body: "x" });
  expect([post.status, post.headers.get("allow")]).toEqual([405, "GET, HEAD"]);
  const head = await get(server, "/live", { method: "HEAD" });
  expect([head.status, await head.text()]).toEqual([200, ""]);
});

test("a request target that is no path is refused and the server goes on", async () => {
  const server = await listening();
  const { promise, resolve, reject } = Promise.withResolvers<number | undefined>();
  request({ port: server.port, host: "127.0.0.1", path: "//" }, (response) => {
    response.resume();
    resolve(response.statusCode);
  })
    .on("error", reject)
    .end();
  expect(await promise).toBe(404);
  expect((await get(server, "/live")).status).toBe(200);
});

test("idle connections give way to new ones, and one in use does not", async () => {
  const server = await listening();
  const used = connect(server.port, "127.0.0.1");
  const answers: string[] = [];
  used.setEncoding("utf8").on("data", (text: string) => answers.push(text));
  const ask = async (): Promise<void> => {
    const answered = once(used, "data");
    used.write("GET /live HTTP/1.1\r\nHost: a\r\n\r\n");
    await answered;
  };
  await ask();
  const idle: Socket[] = [];
  for (let count = 0; count < 20; count += 1) {
    const socket = connect(server.port, "127.0.0.1").resume();
    idle.push(socket);
    await once(socket, "connect");
    await ask();
  }
  expect(answers).toHaveLength(21);
  // The limit is 4.
  await expect.poll(() => idle.filter(({ closed }) => !closed)).toEqual(idle.slice(-3));
  expect((await get(server, "/live")).status).toBe(200);
  used.destroy();
});

test("a port in use is reported, and close after a failed listen is harmless", async () => {
  const first = await listening();
  const second = new HttpServer({
    host: "127.0.0.1",
    port: first.port,
    maxConnections: 4,
    metrics: () => metrics(),
    settings: [],
    readiness: () => readiness,
  });
  await expect(second.listen()).rejects.toMatchObject({ code: "EADDRINUSE" });
  await second.close();
});

test("close ends open connections and can be called twice", async () => {
  const server = await listening();
  await get(server, "/live");
  await Promise.all([server.close(), server.close()]);
  await server.close();
  await expect(get(server, "/live")).rejects.toThrow("fetch failed");
});
