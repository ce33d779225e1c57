import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { Database } from "@multipooler/proto/clustermetadata";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Topology } from "../src/index.ts";
import { SqliteBackend } from "../src/sqlite/index.ts";
import { ROOT } from "./child/child-topology.ts";
import { RunningChild } from "./child/run-child.ts";
import type { ChildTopology } from "./child/run-child.ts";
import { testProcesses } from "./child/test-processes.ts";
import { temporaryDirectory } from "./temporary-directory.ts";
import type { TemporaryDirectory } from "./temporary-directory.ts";

let directory: TemporaryDirectory;
beforeAll(async () => {
  directory = await temporaryDirectory();
});
afterAll(() => directory[Symbol.asyncDispose]());

const child = (file: string): ChildTopology => ({
  backend: "sqlite",
  serverAddress: join(directory.path, file),
});

testProcesses(() => ({
  backend: new SqliteBackend(),
  child: child("topology.db"),
  shortestTtlMs: 300,
}));

test("a process killed while it writes loses nothing that it was told is written", async () => {
  const { serverAddress } = child("killed.db");
  const topology = new Topology({
    backend: new SqliteBackend(),
    serverAddresses: [serverAddress],
    root: ROOT,
  });
  const { databases } = topology.global;
  await databases.create("counter", Database.create({ name: "0" }));
  for (let round = 0; round < 8; round += 1) {
    await using writer = new RunningChild("count.ts", child("killed.db"), 1_000_000);
    let [told, lines] = [0, 0];
    for await (const line of writer.lines()) {
      told = Math.max(told, Number(line));
      lines += 1;
      if (lines > 20 + 7 * round) {
        break;
      }
    }
    await writer.kill();
    const { record } = await databases.get("counter");
    expect(Number(record.name)).toBeGreaterThanOrEqual(told);
    await databases.update("counter", (found) => ({ ...found, cells: [`round ${round}`] }));
  }
  await topology.close();
  using database = new DatabaseSync(serverAddress);
  expect(database.prepare("PRAGMA integrity_check").all()).toEqual([{ integrity_check: "ok" }]);
});
