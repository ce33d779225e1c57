import { once } from "node:events";
import { createServer } from "node:http";
import type { IncomingHttpHeaders, Server } from "node:http";
import { Client, Metadata, credentials } from "@grpc/grpc-js";
import { startPooler } from "@multipooler/pooler-process";
import { findFreePort, startPostgres } from "@multipooler/test-postgres";
import { expect, test } from "vitest";
import { ClientPooler } from "./client-pooler.ts";
import { flagsFor } from "./flags.ts";
import { READY_LIMIT_MS } from "./serving-pooler.ts";

const WITHIN = { timeout: READY_LIMIT_MS };
const TRACE_ID = "0af7651916cd43dd8448eb211c80319c";

interface Delivery {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

/** What takes OTLP over HTTP, as a collector does. */
class Collector implements AsyncDisposable {
  readonly #server: Server;
  readonly deliveries: Delivery[] = [];

  private constructor() {
    this.#server = createServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on("data", (chunk: Buffer) => chunks.push(chunk));
      request.on("end", () => {
        const { url: path = "", headers } = request;
        this.deliveries.push({ path, headers, body: Buffer.concat(chunks) });
        response.writeHead(200, { "content-type": "application/x-protobuf" }).end();
      });
    });
  }

  static async start(): Promise<Collector> {
    const collector = new Collector();
    collector.#server.listen(0, "127.0.0.1");
    await once(collector.#server, "listening");
    return collector;
  }

  get url(): string {
    const address = this.#server.address();
    return typeof address === "object" && address !== null
      ? `http://127.0.0.1:${address.port}`
      : "";
  }

  /** Whether something that was sent to the path has these bytes in it. */
  has(path: string, bytes: string | Buffer): boolean {
    return this.deliveries.some((one) => one.path === path && one.body.includes(bytes));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.#server, "close");
    this.#server.close();
    this.#server.closeAllConnections();
    await closed;
  }
}

/** Asks for health, as the client of a trace does. */
async function traced(address: string, traceparent?: string): Promise<void> {
  const client = new Client(address, credentials.createInsecure());
  const metadata = new Metadata();
  if (traceparent !== undefined) {
    metadata.set("traceparent", traceparent);
  }
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  client.makeUnaryRequest(
    "/grpc.health.v1.Health/Check",
    (bytes: Uint8Array) => Buffer.from(bytes),
    (bytes) => bytes,
    new Uint8Array(),
    metadata,
    (error) => (error === null ? resolve() : reject(error)),
  );
  await promise;
  client.close();
}

test("metrics and the spans of traced calls reach a collector, with its headers, and what is left at the stop", async () => {
  await using collector = await Collector.start();
  await using postgres = await startPostgres();
  await using pooler = startPooler({
    flags: {
      ...flagsFor(postgres),
      "otlp-endpoint": collector.url,
      "otlp-headers": "authorization=Bearer%20secret-token",
      "otlp-metrics-interval": "1s",
      "otlp-traces": "parent",
    },
    // OpenTelemetry's own code would add the headers to those of the flag.
    env: {
      OTEL_EXPORTER_OTLP_HEADERS: "x-of-the-environment=1",
      OTEL_EXPORTER_OTLP_METRICS_HEADERS: "x-of-the-environment=2",
      OTEL_EXPORTER_OTLP_COMPRESSION: "gzip",
    },
  });
  await pooler.ready(200, { signal: AbortSignal.timeout(READY_LIMIT_MS) });
  await expect.poll(() => collector.has("/v1/metrics", "mg.pooler.up"), WITHIN).toBe(true);
  expect(collector.has("/v1/metrics", "zone1/e2e")).toBe(true);
  expect(collector.deliveries[0]?.headers).toMatchObject({
    authorization: "Bearer secret-token",
    "content-type": "application/x-protobuf",
  });
  expect(collector.deliveries[0]?.headers).not.toHaveProperty("x-of-the-environment");
  const ignored = pooler.log.find(({ ignored: names }) => names !== undefined);
  expect(ignored?.["ignored"]).toContainEqual(
    expect.stringMatching(/^OTEL_EXPORTER_OTLP_COMPRESSION is ignored: /),
  );
  const settings = await (await fetch(`${await pooler.http()}/config`)).text();
  expect(settings).not.toContain("secret-token");
  expect(JSON.stringify(pooler.log)).not.toContain("secret-token");

  const address = await pooler.grpc();
  // Only the caller that traces is traced.
  await traced(address);
  await traced(address, `00-${"b".repeat(32)}-b7ad6b7169203331-00`);
  await traced(address, `00-${TRACE_ID}-b7ad6b7169203331-01`);
  await pooler.stop();
  expect(collector.has("/v1/traces", Buffer.from(TRACE_ID, "hex"))).toBe(true);
  expect(collector.has("/v1/traces", "grpc.health.v1.Health/Check")).toBe(true);
  expect(collector.has("/v1/traces", Buffer.from("b".repeat(32), "hex"))).toBe(false);
}, 60_000);

test("statements of sessions are spans, in the trace that their last comment names", async () => {
  await using collector = await Collector.start();
  await using scene = await ClientPooler.start({
    "otlp-endpoint": collector.url,
    "otlp-metrics-interval": "0",
    "otlp-traces": "parent",
  });
  const client = await scene.connect();
  const other = "c".repeat(32);
  await client.query("select 'untraced'");
  await client.query(`select 1 /*traceparent='00-${other}-b7ad6b7169203331-00'*/`);
  await client.query(`select $1::int /*traceparent='00-${TRACE_ID}-b7ad6b7169203331-01'*/`, [1]);
  const failing = `select 1 / 0 /*traceparent='00-${"d".repeat(32)}-b7ad6b7169203331-01'*/`;
  await expect(client.query(failing)).rejects.toThrow("division by zero");
  await client.end();
  await scene.pooler.stop();
  const has = (bytes: string | Buffer): boolean => collector.has("/v1/traces", bytes);
  expect(has(Buffer.from(TRACE_ID, "hex"))).toBe(true);
  expect(has("22012")).toBe(true);
  expect(has(Buffer.from(other, "hex"))).toBe(false);
  // Texts are data of users.
  expect([has("select"), has("untraced")]).toEqual([false, false]);
}, 60_000);

test("with all, sessions without a trace begin their own, as many as the ratio says", async () => {
  for (const [ratio, isTraced] of [
    ["1", true],
    ["0", false],
  ] as const) {
    await using collector = await Collector.start();
    await using scene = await ClientPooler.start({
      "otlp-endpoint": collector.url,
      "otlp-metrics-interval": "0",
      "otlp-traces": "all",
      "otlp-traces-ratio": ratio,
    });
    const client = await scene.connect();
    await client.query("select 1");
    await client.end();
    await scene.pooler.stop();
    expect(collector.has("/v1/traces", "db.namespace")).toBe(isTraced);
  }
}, 60_000);

test("a collector that is away costs a line a minute, and neither queries nor the stop", async () => {
  await using postgres = await startPostgres();
  await using pooler = startPooler({
    flags: {
      ...flagsFor(postgres),
      "otlp-endpoint": `http://127.0.0.1:${await findFreePort()}`,
      "otlp-metrics-interval": "1s",
      "otlp-traces": "all",
    },
  });
  await pooler.ready(200, { signal: AbortSignal.timeout(READY_LIMIT_MS) });
  await traced(await pooler.grpc());
  await pooler.logged(({ msg }) => msg === "telemetry could not be sent", {
    signal: AbortSignal.timeout(READY_LIMIT_MS),
  });
  expect(await pooler.stop()).toEqual({ code: 0, signal: null });
}, 60_000);

test.each([
  ["otlp-endpoint", "collector:4318"],
  ["otlp-endpoint", "ftp://collector"],
  ["otlp-headers", "authorization"],
  ["otlp-headers", "a=%E0%A4%A"],
  ["otlp-traces", "some"],
])("--%s %s is refused with its name", async (flag, value) => {
  await using pooler = startPooler({ flags: { [flag]: value } });
  expect(await pooler.exited).toMatchObject({ code: 2 });
  expect(pooler.complaints()).toContain(`--${flag}`);
});
