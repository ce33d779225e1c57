import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Authority, PemDirectory } from "@multipooler/tls-identities";
import { expect, onTestFinished, test } from "vitest";
import { connect } from "../src/client/index.ts";
import type { ConnectOptions, PoolerClient } from "../src/client/index.ts";
import { startServer } from "./test-server.ts";

const TOKEN = "correct-horse-battery-staple";
const NEXT = "another-token-of-this-pooler";

function tokenFile(content: string): string {
  const directory = mkdtempSync(join(tmpdir(), "multipooler tokens "));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  const path = join(directory, "tokens");
  writeFileSync(path, content);
  return path;
}

function clientOf(options: ConnectOptions): PoolerClient {
  const client = connect(options);
  onTestFinished(() => client.close());
  return client;
}

/** "served", or the status with its message. */
async function outcome(client: PoolerClient): Promise<unknown> {
  try {
    await client.status({ timeoutMs: 10_000 });
    return "served";
  } catch (error) {
    return error instanceof Error && "code" in error
      ? `${String(error.code)}: ${error.message}`
      : error;
  }
}

test("with tokens this service asks for one of them, and no other service does", async () => {
  const file = tokenFile(`${TOKEN}\n\n${NEXT}\r\n`);
  await using server = await startServer({ managerAccess: { tokenFile: file } });
  const { address } = server;
  for (const token of [TOKEN, NEXT]) {
    expect(await outcome(clientOf({ address, token }))).toBe("served");
  }
  const none = clientOf({ address });
  expect(await outcome(none)).toBe("UNAUTHENTICATED: this service asks for a token: there is none");
  for (const token of [TOKEN.slice(1), `${TOKEN}x`, "x"]) {
    expect(await outcome(clientOf({ address, token }))).toBe(
      "UNAUTHENTICATED: this service asks for a token: the token is wrong",
    );
  }
  await expect(none.setServingStatus({ status: 3 })).rejects.toMatchObject({
    code: "UNAUTHENTICATED",
  });
  await expect(none.roles.promote({ consensusTerm: 1n })).rejects.toMatchObject({
    code: "UNAUTHENTICATED",
  });
  await expect(none.consensus.setTerm({ term: { termNumber: 1n } })).rejects.toMatchObject({
    code: "UNAUTHENTICATED",
  });
  expect(server.manager.wishes).toEqual([]);
  expect(server.manager.asked).toEqual([]);
  expect(await none.isServing("")).toBe(true);
  await expect(none.executeQuery({ query: "select 1" })).resolves.toBeDefined();
  const logged = JSON.stringify(server.log);
  expect(logged).toContain("a client may not manage the pooler");
  expect(logged).not.toContain(TOKEN.slice(1));
});

test("another file of tokens counts after a reload; one that is none changes nothing", async () => {
  const file = tokenFile(TOKEN);
  await using server = await startServer({ managerAccess: { tokenFile: file } });
  const { address } = server;
  const [former, next] = [clientOf({ address, token: TOKEN }), clientOf({ address, token: NEXT })];
  expect([await outcome(former), await outcome(next)]).toEqual([
    "served",
    expect.stringContaining("UNAUTHENTICATED"),
  ]);
  const files = { tls: undefined, tokenFile: file };
  writeFileSync(file, "too short");
  expect(() => server.server.prepare(files)).toThrow(
    expect.objectContaining({
      code: "TOKENS_INVALID",
      message: expect.not.stringContaining("too short"),
    }),
  );
  expect(await outcome(former)).toBe("served");
  writeFileSync(file, NEXT);
  server.server.prepare(files)();
  expect([await outcome(former), await outcome(next)]).toEqual([
    expect.stringContaining("UNAUTHENTICATED"),
    "served",
  ]);
});

test.each(["", "\n", "short\n", `${TOKEN} with blanks`, `${TOKEN}\n`.repeat(101)])(
  "a file of tokens that holds %j ends the start",
  async (content) => {
    const file = tokenFile(content);
    await expect(startServer({ managerAccess: { tokenFile: file } })).rejects.toMatchObject({
      code: "TOKENS_INVALID",
      message: expect.stringContaining(`${file} must hold from 1 to 100 tokens`),
    });
  },
);

test("a file of tokens that is not there ends the start", async () => {
  const managerAccess = { tokenFile: "/nowhere/tokens" };
  await expect(startServer({ managerAccess })).rejects.toMatchObject({
    code: "TOKENS_INVALID",
    message: expect.stringContaining("/nowhere/tokens"),
  });
});

test("a certificate with an allowed subject does instead of a token", async () => {
  const servers = new Authority("servers");
  const clients = new Authority("clients");
  const pem = await PemDirectory.create();
  onTestFinished(async () => await pem[Symbol.asyncDispose]());
  const { cert, key } = servers.issue();
  const tls = {
    certFile: await pem.write("cert.pem", cert),
    keyFile: await pem.write("key.pem", key),
    clientCaFile: await pem.write("clients.pem", clients.cert),
  };
  const managerAccess = { tokenFile: tokenFile(TOKEN), allowedSubjects: ["CN=operator.test"] };
  await using server = await startServer({ tls, managerAccess });
  const clientWith = (commonName: string, token?: string): PoolerClient => {
    const identity = clients.issue({ commonName });
    const shown = { ca: servers.cert, certificate: identity.cert, key: identity.key };
    return clientOf({ address: server.address, tls: shown, token });
  };
  expect(await outcome(clientWith("operator.test"))).toBe("served");
  expect(await outcome(clientWith("gateway.test", TOKEN))).toBe("served");
  const gateway = clientWith("gateway.test");
  expect(await outcome(gateway)).toBe(
    "UNAUTHENTICATED: this service asks for a token or a certificate that is allowed: there is none",
  );
  expect(await gateway.isServing("")).toBe(true);
});
