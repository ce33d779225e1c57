import { appendFile, cp, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { compareDirectories } from "./directory-difference.ts";
import { generateCode } from "./generated-code.ts";
import { GENERATED_PATH, repositoryDirectory } from "./paths.ts";

async function scratch(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), "multipooler generated "));
  onTestFinished(() => rm(path, { recursive: true, force: true }));
  return path;
}

test("the committed code is what /proto generates, also below a path with a space", async () => {
  const generated = await generateCode(await scratch());
  const committed = join(repositoryDirectory, GENERATED_PATH);
  expect(await compareDirectories(generated, committed)).toEqual([]);
});

test("stale, missing and superfluous files are found", async () => {
  const committed = join(repositoryDirectory, GENERATED_PATH);
  const tampered = await scratch();
  await cp(committed, tampered, { recursive: true });
  await appendFile(join(tampered, "descriptors.ts"), "\n");
  await rm(join(tampered, "multigres/query.ts"));
  await writeFile(join(tampered, "multigres/old.ts"), "");
  expect(await compareDirectories(committed, tampered)).toEqual([
    { path: "descriptors.ts", kind: "stale" },
    { path: "multigres/old.ts", kind: "superfluous" },
    { path: "multigres/query.ts", kind: "missing" },
  ]);
});

test("a folder that does not exist is an empty one", async () => {
  const empty = await scratch();
  const absent = join(empty, "absent");
  expect(await compareDirectories(empty, absent)).toEqual([]);
  await writeFile(join(empty, "new.ts"), "");
  expect(await compareDirectories(empty, absent)).toEqual([{ path: "new.ts", kind: "missing" }]);
  expect(await compareDirectories(absent, empty)).toEqual([
    { path: "new.ts", kind: "superfluous" },
  ]);
});
