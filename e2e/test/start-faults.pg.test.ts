import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import type { Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runProgram, startPooler } from "@multipooler/pooler-process";
import { startPostgres } from "@multipooler/test-postgres";
import type { TestPostgres } from "@multipooler/test-postgres";
import { afterAll, beforeAll, expect, test } from "vitest";
import { poolerRecord } from "./ctl-topo.ts";
import { flagsFor } from "./flags.ts";
import { inFile } from "./topology-flags.ts";

let postgres: TestPostgres;
let stranger: Server;
let strangerPort: number;
let directory: string;

beforeAll(async () => {
  postgres = await startPostgres({ auth: "scram-sha-256", password: "right" });
  stranger = createServer((socket) => {
    socket.on("error", () => undefined);
    socket.end("HTTP/1.1 400 Bad Request\r\n\r\n");
  });
  await new Promise<void>((resolve) => stranger.listen(0, "127.0.0.1", resolve));
  const address = stranger.address();
  if (typeof address !== "object" || address === null) {
    throw new Error("no TCP address");
  }
  strangerPort = address.port;
  directory = await mkdtemp(join(tmpdir(), "multipooler e2e "));
});

afterAll(async () => {
  stranger?.close();
  await postgres?.[Symbol.asyncDispose]();
  await rm(directory, { recursive: true, force: true });
});

/** Runs the pooler until it gives up; the limit is far above what any of these faults takes. */
async function failure(
  flags: Record<string, string>,
): Promise<{ code: number | null; line: string }> {
  const all = {
    ...flagsFor(postgres),
    "connpool-admin-password": "right",
    "topo-implementation": "memory",
    "http-port": "0",
    "grpc-port": "0",
    ...flags,
  };
  const args = Object.entries(all).flatMap(([name, value]) => [`--${name}`, value]);
  const { code, stderr } = await runProgram(args, { signal: AbortSignal.timeout(20_000) });
  expect(stderr.trimEnd().split("\n"), "exactly one line").toHaveLength(1);
  return { code, line: stderr.trimEnd() };
}

test("a wrong password", async () => {
  const { code, line } = await failure({ "connpool-admin-password": "wrong" });
  expect(code).toBe(1);
  expect(line).toContain('password authentication failed for user "postgres"');
  expect(line).toContain("--connpool-admin-password-file");
  expect(line).not.toContain("wrong");
});

test("an empty password", async () => {
  const { code, line } = await failure({ "connpool-admin-password": "" });
  expect(code).toBe(2);
  expect(line).toContain("--connpool-admin-password");
});

test("a password file that does not exist", async () => {
  const { code, line } = await failure({
    "connpool-admin-password-file": join(directory, "absent"),
  });
  expect(code).toBe(2);
  expect(line).toMatch(/^multipooler: --connpool-admin-password-file: .*absent/);
});

test("an unknown database", async () => {
  const { code, line } = await failure({ database: "absent" });
  expect(code).toBe(1);
  expect(line).toContain('no database "absent"');
  expect(line).toContain("--database");
});

test("a port at which something else answers", async () => {
  const { code, line } = await failure({ "pg-port": String(strangerPort) });
  expect(code).toBe(1);
  expect(line).toContain(`127.0.0.1:${strangerPort}`);
  expect(line).toContain("--pg-port");
});

test("a port at which nothing listens, with a start timeout", async () => {
  const { code, line } = await failure({ "pg-port": "1", "start-timeout": "700ms" });
  expect(code).toBe(1);
  expect(line).toContain("127.0.0.1:1");
  expect(line).toContain("--start-timeout");
});

test("a port that is none", async () => {
  const { code, line } = await failure({ "pg-port": "99999" });
  expect([code, line]).toEqual([
    2,
    'multipooler: --pg-port: "99999" is not a whole number from 1 to 65535',
  ]);
});

test.each(["http-port", "grpc-port"])("--%s in use", async (flag) => {
  const { code, line } = await failure({ [flag]: String(strangerPort) });
  expect(code).toBe(1);
  expect(line).toContain(`cannot listen on 127.0.0.1:${strangerPort}: the port is in use (see `);
  expect(line).toContain(`--${flag}`);
});

test.each(["consensus_term.json", "role_action.json"])(
  "a file %s that makes no sense, which is left as it is, as is the topology",
  async (name) => {
    const poolerDir = join(directory, name.replace(".json", ""));
    await mkdir(poolerDir);
    const file = join(poolerDir, name);
    await writeFile(file, "{ torn");
    const topology = join(poolerDir, "topology.db");
    const { code, line } = await failure({ "pooler-dir": poolerDir, ...inFile(topology) });
    expect(code).toBe(1);
    expect(line).toContain(file);
    expect(line).toMatch(/ \(see --pooler-dir\)$/);
    expect(await readFile(file, "utf8")).toBe("{ torn");
    expect(await poolerRecord(inFile(topology), "e2e")).toBeUndefined();
  },
);

test("a record in the topology that is for another database, which is left as it is", async () => {
  await using other = await postgres.createDatabase();
  const topology = inFile(join(directory, "another-database.db"));
  {
    const password = { "connpool-admin-password": "right" };
    await using pooler = startPooler({
      flags: { ...flagsFor(postgres), ...password, ...topology },
    });
    await pooler.ready(200, { signal: AbortSignal.timeout(20_000) });
    await pooler.stop();
  }
  const before = await poolerRecord(topology, "e2e");
  expect(before).toMatchObject({ record: { shardKey: { database: "postgres" } } });
  const { code, line } = await failure({ ...topology, database: other.name });
  expect(code).toBe(1);
  expect(line).toContain("postgres");
  expect(line).toContain("--database");
  expect(await poolerRecord(topology, "e2e")).toEqual(before);
});

test("a data directory that is none", async () => {
  const file = join(directory, "file");
  await writeFile(file, "");
  const { code, line } = await failure({ "pg-data-dir": file });
  expect([code, line]).toEqual([2, `multipooler: --pg-data-dir: ${file}: is not a directory`]);
});

test("protection that is not offered", async () => {
  const { code, line } = await failure({ "grpc-crl": join(directory, "revoked.pem") });
  expect(code).toBe(2);
  expect(line).toContain(
    "asks for what this version does not offer: lists of revoked certificates",
  );
});

test("an unknown flag is named, with the one that was meant", async () => {
  const { code, stderr } = await runProgram(["--grpc-prot", "1"]);
  expect(code).toBe(2);
  expect(stderr).toBe("multipooler: unknown option '--grpc-prot' (Did you mean --grpc-port?)\n");
});
