import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { findBaseline } from "./baseline.ts";
import { run } from "./run.ts";

const FILE = "proto/buf.yaml";

/** A folder with a space in its name, and git in it. */
async function folder(): Promise<{ path: string; git: (...args: string[]) => Promise<string> }> {
  const path = await mkdtemp(join(tmpdir(), "multipooler baseline "));
  onTestFinished(() => rm(path, { recursive: true, force: true }));
  const identity = ["-c", "user.name=test", "-c", "user.email=test@localhost"];
  const git = async (...args: string[]): Promise<string> =>
    (await run("git", [...identity, ...args], { cwd: path })).toString().trim();
  return { path, git };
}

async function clone(branch: string): ReturnType<typeof folder> {
  const made = await folder();
  await made.git("init", "--quiet", "--initial-branch", branch);
  await made.git("commit", "--quiet", "--allow-empty", "--message", "empty");
  return made;
}

async function addContract({ path, git }: Awaited<ReturnType<typeof folder>>): Promise<string> {
  await mkdir(join(path, "proto"));
  await writeFile(join(path, FILE), "version: v2\n");
  await git("add", "proto");
  await git("commit", "--quiet", "--message", "contract");
  return git("rev-parse", "HEAD");
}

test("a main branch with the contract is the baseline", async () => {
  const repository = await clone("main");
  const commit = await addContract(repository);
  expect(await findBaseline(repository.path, FILE)).toEqual({
    type: "commit",
    ref: "main",
    commit,
  });
});

test("what was pushed counts before what is only here", async () => {
  const repository = await clone("main");
  const commit = await addContract(repository);
  await repository.git("update-ref", "refs/remotes/origin/main", commit);
  await repository.git("commit", "--quiet", "--allow-empty", "--message", "not pushed");
  expect(await findBaseline(repository.path, FILE)).toEqual({
    type: "commit",
    ref: "origin/main",
    commit,
  });
});

test("main is taken where origin/main has no contract yet", async () => {
  const repository = await clone("main");
  await repository.git("update-ref", "refs/remotes/origin/main", "HEAD");
  const commit = await addContract(repository);
  expect(await findBaseline(repository.path, FILE)).toEqual({
    type: "commit",
    ref: "main",
    commit,
  });
});

test("a main branch without the contract is no baseline", async () => {
  const { path } = await clone("main");
  expect(await findBaseline(path, FILE)).toEqual({
    type: "none",
    reason: "main has no proto/buf.yaml",
  });
});

test("a clone without a main branch has no baseline", async () => {
  const { path } = await clone("feature");
  expect(await findBaseline(path, FILE)).toEqual({
    type: "none",
    reason: "this clone has neither origin/main nor main",
  });
});

test("a folder that is no clone has no baseline, and git says why", async () => {
  const { path } = await folder();
  const baseline = await findBaseline(path, FILE);
  expect(baseline.type).toBe("none");
  expect(baseline).toHaveProperty("reason", expect.stringContaining("not a git repository"));
});
