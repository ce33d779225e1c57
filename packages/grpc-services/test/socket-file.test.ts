import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { connect } from "../src/client/index.ts";
import { GrpcServicesErrorCode } from "../src/errors/error.ts";
import { startServer } from "./test-server.ts";

let directory: string;
let socketFile: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "grpc-socket-"));
  socketFile = join(directory, "pooler.sock");
});

afterEach(async () => {
  await rm(directory, { recursive: true });
});

async function expectServed(): Promise<void> {
  using client = connect({ address: `unix:${socketFile}` });
  await expect(client.executeQuery({ query: "select 1" })).resolves.toBeDefined();
}

test("a server is called over its Unix socket and its port, and removes the socket", async () => {
  {
    await using scene = await startServer({ socketFile });
    await expectServed();
    await expect(scene.client.executeQuery({ query: "select 1" })).resolves.toBeDefined();
  }
  expect(existsSync(socketFile)).toBe(false);
});

test("the socket of a process that was killed is taken over", async () => {
  const listening = `require("node:net").createServer().listen(process.argv[1], () => console.log())`;
  const killed = spawn(process.execPath, ["-e", listening, socketFile]);
  await once(killed.stdout, "data");
  killed.kill("SIGKILL");
  await once(killed, "exit");
  expect(existsSync(socketFile)).toBe(true);
  await using _ = await startServer({ socketFile });
  await expectServed();
});

test("a socket that somebody listens on, and what is no socket, are left alone", async () => {
  const other = createServer().listen(socketFile);
  await once(other, "listening");
  const file = join(directory, "notes.txt");
  await writeFile(file, "notes");
  for (const path of [socketFile, file, join(directory, "missing", "pooler.sock")]) {
    await expect(startServer({ socketFile: path })).rejects.toMatchObject({
      code: GrpcServicesErrorCode.ListenFailed,
      message: expect.stringContaining(path),
    });
  }
  expect([existsSync(socketFile), existsSync(file)]).toEqual([true, true]);
  other.close();
});

test("a socket that is there is no fault of the port", async () => {
  const other = createServer().listen(socketFile);
  await once(other, "listening");
  await expect(startServer({ socketFile })).rejects.toThrow(
    `cannot listen on ${socketFile}: it is there, and is not what a killed process has left`,
  );
  other.close();
});
