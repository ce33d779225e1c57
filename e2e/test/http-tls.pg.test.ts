import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { request } from "node:https";
import type { RequestOptions } from "node:https";
import type { IncomingMessage } from "node:http";
import { join } from "node:path";
import { runProgram, startPooler } from "@multipooler/pooler-process";
import type { PoolerProcess, ProgramResult } from "@multipooler/pooler-process";
import { startPostgres } from "@multipooler/test-postgres";
import type { TestPostgres } from "@multipooler/test-postgres";
import { Authority, PemDirectory } from "@multipooler/tls-identities";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { flagsFor } from "./flags.ts";

const SERVERS = new Authority("servers");
const CLIENTS = new Authority("clients");
const WITHIN = { timeout: 20_000 };

let postgres: TestPostgres;
let pem: PemDirectory;
let pooler: PoolerProcess;
let port: number;
let clientSettings: Readonly<Record<string, string>>;

beforeAll(async () => {
  [postgres, pem] = await Promise.all([startPostgres(), PemDirectory.create()]);
  const { cert, key } = SERVERS.issue();
  clientSettings = {
    "http-tls-client-ca-file": await pem.write("clients.pem", CLIENTS.cert),
    "http-tls-client-cert": "optional",
  };
  await configure({
    ...clientSettings,
    "http-tls-cert-file": await pem.write("cert.pem", cert),
    "http-tls-key-file": await pem.write("key.pem", key),
  });
  pooler = startPooler({
    flags: { ...flagsFor(postgres), "config-file": configFile() },
  });
  port = Number(new URL(await pooler.http()).port);
  await vi.waitFor(async () => expect((await ask("/ready")).statusCode).toBe(200), WITHIN);
});

afterAll(async () => {
  await pooler?.[Symbol.asyncDispose]();
  await pem?.[Symbol.asyncDispose]();
  await postgres?.[Symbol.asyncDispose]();
});

const configFile = (): string => join(pem.path, "pooler.yaml");

async function configure(settings: Readonly<Record<string, string>>): Promise<void> {
  const lines = Object.entries(settings).map(
    ([name, value]) => `${name}: ${JSON.stringify(value)}\n`,
  );
  await writeFile(configFile(), lines.join(""));
}

async function ask(path: string, options: RequestOptions = {}): Promise<IncomingMessage> {
  const target = { host: "127.0.0.1", port, path, ca: SERVERS.cert, agent: false };
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  request({ ...target, ...options }, resolve)
    .once("error", reject)
    .end();
  return await promise;
}

async function textOf(response: IncomingMessage): Promise<string> {
  return (await response.setEncoding("utf8").toArray()).join("");
}

test("probes need no certificate; metrics, the page and its events do", async () => {
  const prometheus = CLIENTS.issue({ commonName: "prometheus" });
  expect((await ask("/primary", { method: "OPTIONS" })).statusCode).toBe(200);
  for (const path of ["/metrics", "/config", "/", "/status", "/status/events"]) {
    expect((await ask(path)).statusCode).toBe(403);
  }
  expect(await textOf(await ask("/metrics", prometheus))).toContain("mg_pooler_up");
  expect(await textOf(await ask("/", prometheus))).toContain("<html");
  const events = await ask("/status/events", prometheus);
  const [first] = await once(events.setEncoding("utf8"), "data");
  expect(String(first)).toContain("data:");
  events.destroy();
});

test("a reload reads the files at once, those of other paths too, and refuses what cannot be used", async () => {
  const next = new Authority("next");
  const { cert, key } = next.issue();
  await pem.write("cert.pem", cert);
  const reload = async (): Promise<ProgramResult> =>
    await runProgram(["ctl", "reload", "--address", await pooler.grpc()]);
  const refused = await reload();
  expect(refused.code).toBe(1);
  expect(refused.stderr).toContain("--http-tls-*: the certificate");
  expect((await ask("/live")).statusCode).toBe(200);
  await pem.write("key.pem", key);
  expect((await reload()).code).toBe(0);
  expect((await ask("/live", { ca: next.cert })).statusCode).toBe(200);
  const third = new Authority("third");
  const other = third.issue();
  const [certFile, keyFile] = [
    await pem.write("other.pem", other.cert),
    await pem.write("other.key", other.key),
  ];
  await configure({
    ...clientSettings,
    "http-tls-cert-file": certFile,
    "http-tls-key-file": keyFile,
  });
  expect((await reload()).stdout).toContain(
    `http-tls-cert-file: ${join(pem.path, "cert.pem")} -> `,
  );
  expect((await ask("/live", { ca: third.cert })).statusCode).toBe(200);
  await configure({});
  const { stdout } = await reload();
  expect(stdout).toMatch(/http-tls-cert-file: .* -> unset .* needs a restart: /);
  expect((await ask("/live", { ca: third.cert })).statusCode).toBe(200);
});

test.each([
  [{ "http-tls-cert-file": "/c" }, "--http-tls-key-file is missing"],
  [
    { "http-tls-cert-file": "/no/such.pem", "http-tls-key-file": "/k" },
    "--http-tls-*: certificates in /no/such.pem cannot be used",
  ],
  [
    { "http-tls-client-cert": "optional" },
    "--http-tls-client-cert optional needs --http-tls-client-ca-file",
  ],
])("check-config and the start refuse %j in one line", async (flags, words) => {
  const all = { ...flagsFor(postgres), "topo-implementation": "memory", ...flags };
  const args = Object.entries(all).flatMap(([name, value]) => [`--${name}`, value]);
  for (const command of [[], ["check-config"]]) {
    const { code, stderr } = await runProgram([...command, ...args]);
    expect(code).toBe(2);
    expect(stderr).toContain(words);
    expect(stderr.trimEnd().split("\n")).toHaveLength(1);
  }
});
