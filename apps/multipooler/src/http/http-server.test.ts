import { once } from "node:events";
import { request } from "node:http";
import { connect } from "node:net";
import type { Socket } from "node:net";
import { afterEach, expect, test } from "vitest";
import { jsonAnswer, sendAnswer } from "./http-answer.ts";
import { HttpServer } from "./http-server.ts";
import type { Route, Routes } from "./route.ts";

let takesWrites = false;
let metrics = (): Promise<string> => Promise.resolve("mg_pooler_up 1\n");
const servers: HttpServer[] = [];

afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.close()));
});

const ROUTES: Routes = new Map<string, Route>([
  ["/live", { type: "check", answer: () => jsonAnswer(200, { live: true }) }],
  ["/file.css", { type: "page", answer: () => Promise.reject(new Error("no such file")) }],
  [
    "/full",
    { type: "stream", open: (response) => sendAnswer(response, jsonAnswer(503, { full: true })) },
  ],
  ["/stream", { type: "stream", open: (response) => void response.writeHead(200).write("a") }],
  [
    "/echo",
    {
      type: "check",
      answer: ({ query }) => jsonAnswer(takesWrites ? 200 : 503, { lag: query.get("lag") }),
    },
  ],
  [
    "/metrics",
    {
      type: "page",
      answer: async () => ({ status: 200, body: await metrics(), headers: { "x-a": "b" } }),
    },
  ],
]);

const complaints: unknown[] = [];
const noLine = (): void => {
  throw new Error("nothing is logged at this level");
};
const COMMON = {
  maxConnections: 4,
  routes: ROUTES,
  tls: undefined,
  logger: {
    debug: noLine,
    info: noLine,
    warn: noLine,
    error: (...args: unknown[]) => void complaints.push(args),
  },
};

async function listening(): Promise<HttpServer> {
  const server = new HttpServer({ host: "127.0.0.1", port: 0, ...COMMON });
  servers.push(server);
  await server.listen();
  return server;
}

function get(server: HttpServer, path: string, init?: RequestInit): Promise<Response> {
  return fetch(`http://127.0.0.1:${server.port}${path}`, init);
}

test("a check answers as it is now, with the query of the request", async () => {
  const server = await listening();
  takesWrites = false;
  const before = await get(server, "/echo?lag=10%20MB");
  expect([before.status, await before.json()]).toEqual([503, { lag: "10 MB" }]);
  takesWrites = true;
  const after = await get(server, "/echo");
  expect([after.status, await after.json()]).toEqual([200, { lag: null }]);
  expect(after.headers.get("access-control-allow-origin")).toBe("*");
  expect(after.headers.get("cache-control")).toBe("no-store");
});

test("HEAD and OPTIONS of a check have its status and no body", async () => {
  const server = await listening();
  for (const takes of [false, true]) {
    takesWrites = takes;
    for (const method of ["HEAD", "OPTIONS"]) {
      const response = await get(server, "/echo", { method });
      expect([response.status, await response.text()]).toEqual([takes ? 200 : 503, ""]);
    }
  }
});

test("OPTIONS of a page asks nobody", async () => {
  const works = metrics;
  metrics = () => Promise.reject(new Error("asked"));
  const response = await get(await listening(), "/metrics", { method: "OPTIONS" });
  metrics = works;
  expect([response.status, response.headers.get("allow")]).toEqual([204, "GET, HEAD, OPTIONS"]);
});

test("another path is 404 and tells the paths, another method is 405 and tells the methods", async () => {
  const server = await listening();
  const unknown = await get(server, "/nothing");
  expect([unknown.status, await unknown.json()]).toEqual([
    404,
    {
      code: "UNKNOWN_PATH",
      error: "there is nothing at this path",
      try: ["/live", "/full", "/stream", "/echo", "/metrics"],
    },
  ]);
  const post = await get(server, "/live", { method: "POST", body: "x" });
  expect([post.status, post.headers.get("allow"), await post.json()]).toEqual([
    405,
    "GET, HEAD, OPTIONS",
    { code: "METHOD_NOT_ALLOWED", error: "POST is not allowed; there are GET, HEAD, OPTIONS" },
  ]);
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

test("what cannot be answered is a 500 without details, which the log has once", async () => {
  const server = await listening();
  for (let times = 0; times < 3; times += 1) {
    const failed = await get(server, "/file.css");
    expect([failed.status, await failed.json()]).toEqual([
      500,
      { code: "INTERNAL", error: "the log says why" },
    ]);
  }
  const err = new Error("no such file");
  const message = "an HTTP request could not be answered";
  expect(complaints.splice(0)).toEqual([[{ err }, message]]);
  await server.close();
  expect(complaints.splice(0)).toEqual([[{ err, repeated: 2 }, message]]);
});

test("a stream keeps its connection when others come, and close ends it", async () => {
  const server = await listening();
  const stream = await get(server, "/stream");
  const reader = stream.body?.getReader();
  expect((await reader?.read())?.value).toEqual(new TextEncoder().encode("a"));
  for (let count = 0; count < 8; count += 1) {
    await once(connect(server.port, "127.0.0.1").resume(), "connect");
  }
  expect((await get(server, "/live")).status).toBe(200);
  const next = reader?.read();
  await server.close();
  await expect(next).rejects.toThrow("terminated");
  expect((await get(await listening(), "/stream", { method: "HEAD" })).status).toBe(204);
});

test("connections whose stream was refused count, and give way to new ones", async () => {
  const server = await listening();
  const refused: Socket[] = [];
  for (let count = 0; count < 8; count += 1) {
    const socket = connect(server.port, "127.0.0.1").setEncoding("utf8");
    refused.push(socket);
    const answered = once(socket, "data");
    socket.write("GET /full HTTP/1.1\r\nHost: a\r\n\r\n");
    expect((await answered)[0]).toContain("503");
  }
  // The limit is 4.
  await expect.poll(() => refused.filter(({ closed }) => !closed)).toEqual(refused.slice(-4));
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
  const { port } = first;
  const second = new HttpServer({ host: "127.0.0.1", port, ...COMMON });
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
