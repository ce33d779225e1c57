import { mkdir, readFile, readdir, writeFile } from "node:fs/promises";
import path from "node:path";
import { expect, test } from "vitest";
import { RecordingLogger } from "../../test/recording-logger.ts";
import { temporaryDir } from "../../test/temporary-dir.ts";
import { ManagerErrorCode } from "../manager-error.ts";
import { PoolerType } from "./pooler-type.ts";
import { TypeMemory } from "./type-memory.ts";

const FILE = "pooler-record.json";

function memoryIn(poolerDir: string | undefined, logger: RecordingLogger = new RecordingLogger()) {
  return new TypeMemory({ poolerDir, poolerId: "multipooler-zone1-a", logger });
}

test("what one run remembers the next one knows, in a directory that is made", async () => {
  await using dir = await temporaryDir();
  const poolerDir = path.join(dir.path, "pooler");
  const first = memoryIn(poolerDir);
  expect(await first.load()).toBeUndefined();
  first.remember(PoolerType.Replica);
  first.remember(PoolerType.Primary);
  await first.flush();
  expect(await memoryIn(poolerDir).load()).toBe(PoolerType.Primary);
  expect(await readdir(poolerDir)).toEqual([FILE]);
});

test("the cluster of the shard is remembered beside the type, and forgotten again", async () => {
  await using dir = await temporaryDir();
  const first = memoryIn(dir.path);
  first.rememberCluster(7_481_234_567_890_123_456n);
  first.remember(PoolerType.Primary);
  await first.flush();
  const second = memoryIn(dir.path);
  expect(await second.load()).toBe(PoolerType.Primary);
  expect(second.systemIdentifier).toBe(7_481_234_567_890_123_456n);
  second.rememberCluster(undefined);
  await second.flush();
  const third = memoryIn(dir.path);
  expect(await third.load()).toBe(PoolerType.Primary);
  expect(third.systemIdentifier).toBeUndefined();
});

test("what another pooler left there does not count, and is told", async () => {
  await using dir = await temporaryDir();
  const text = JSON.stringify({ poolerId: "multipooler-zone1-b", type: "PRIMARY" });
  await writeFile(path.join(dir.path, FILE), text);
  const logger = new RecordingLogger();
  expect(await memoryIn(dir.path, logger).load()).toBeUndefined();
  expect(logger.messages("warn")).toEqual([
    "the pooler's type in this file is another pooler's; it is not used",
  ]);
});

test.each([
  ["nothing", "", "is not JSON"],
  ["half a file", '{"poolerId":"multipooler-zo', "is not JSON"],
  ["something else", "[]", "does not hold an object"],
  ["null", "null", "does not hold an object"],
  [
    "an unknown type",
    '{"poolerId":"multipooler-zone1-a","type":"LEADER"}',
    "does not hold a pooler's type",
  ],
  [
    "a number for a system identifier",
    '{"poolerId":"multipooler-zone1-a","type":"PRIMARY","systemIdentifier":7}',
    "does not hold the system identifier of the shard",
  ],
])("a file that holds %s is refused by name", async (_, text, what) => {
  await using dir = await temporaryDir();
  const file = path.join(dir.path, FILE);
  await writeFile(file, text);
  await expect(memoryIn(dir.path).load()).rejects.toMatchObject({
    code: ManagerErrorCode.RecordFileInvalid,
    message: `${file} ${what}; repair it, or remove it to forget the pooler's type`,
  });
});

test("a file that cannot be read is refused by name", async () => {
  await using dir = await temporaryDir();
  await mkdir(path.join(dir.path, FILE));
  await expect(memoryIn(dir.path).load()).rejects.toMatchObject({
    code: ManagerErrorCode.RecordFileInvalid,
  });
});

test("what cannot be written is logged, and tried again with the next occasion", async () => {
  await using dir = await temporaryDir();
  const blocked = path.join(dir.path, "file");
  await writeFile(blocked, "");
  const logger = new RecordingLogger();
  const memory = memoryIn(blocked, logger);
  memory.remember(PoolerType.Primary);
  await memory.flush();
  memory.remember(PoolerType.Primary);
  await memory.flush();
  expect(logger.messages("warn")).toEqual([
    "the pooler's type could not be remembered",
    "the pooler's type could not be remembered",
  ]);
});

test("a write replaces the file whole, also over one that a crash left behind", async () => {
  await using dir = await temporaryDir();
  await writeFile(path.join(dir.path, `${FILE}.tmp`), "x".repeat(10_000));
  const memory = memoryIn(dir.path);
  memory.remember(PoolerType.Primary);
  await memory.flush();
  expect(JSON.parse(await readFile(path.join(dir.path, FILE), "utf8"))).toEqual({
    poolerId: "multipooler-zone1-a",
    type: "PRIMARY",
  });
});

test("without a directory nothing is remembered", async () => {
  const memory = memoryIn(undefined);
  memory.remember(PoolerType.Primary);
  await memory.flush();
  expect(await memory.load()).toBeUndefined();
});
