import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { readState, removeState, writeState } from "./state.ts";

const STATE = {
  owner: 10,
  pooler: 11,
  ports: { postgres: 4, http: 5, grpc: 6, psql: 7 },
  replicas: [12, 13],
};

async function stateFile(): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), "mp state "));
  onTestFinished(async () => await rm(dir, { recursive: true }));
  return join(dir, "running.json");
}

test("reads what was written, and nothing once it was removed", async () => {
  const file = await stateFile();
  await writeState(file, { ...STATE, owner: 1 });
  await writeState(file, STATE);
  expect(await readState(file)).toEqual(STATE);
  await removeState(file);
  await removeState(file);
  expect(await readState(file)).toBeUndefined();
  expect(await readdir(join(file, ".."))).toEqual([]);
});

test.each([
  "",
  "{",
  "null",
  "[]",
  JSON.stringify({ ...STATE, owner: -1 }),
  JSON.stringify({ ...STATE, pooler: "11" }),
  JSON.stringify({ ...STATE, replicas: undefined }),
  JSON.stringify({ ...STATE, replicas: ["12"] }),
  JSON.stringify({ ...STATE, ports: { postgres: 4, http: 5 } }),
  JSON.stringify({ ...STATE, ports: { postgres: 4, http: 5, grpc: 6 } }),
])("takes %j for no state", async (content) => {
  const file = await stateFile();
  await writeFile(file, content);
  expect(await readState(file)).toBeUndefined();
});
