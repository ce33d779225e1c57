import { join } from "node:path";
import { SqliteBackend } from "../src/sqlite/index.ts";
import { describeStore } from "../src/testing/index.ts";
import { temporaryDirectory } from "./temporary-directory.ts";

describeStore("SQLite", async () => {
  const directory = await temporaryDirectory();
  return {
    backend: new SqliteBackend(),
    serverAddresses: [join(directory.path, "topology.db")],
    shortestTtlMs: 300,
    [Symbol.asyncDispose]: () => directory[Symbol.asyncDispose](),
  };
});
