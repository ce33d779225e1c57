// Fails if /proto breaks what the main branch promises. Says so, and succeeds, where there is
// nothing to compare with.
import { join } from "node:path";
import { findBaseline } from "./baseline.ts";
import { repositoryDirectory } from "./paths.ts";
import { run } from "./run.ts";
import { runTask } from "./task.ts";

await runTask(async (scratch) => {
  const baseline = await findBaseline(repositoryDirectory, "proto/buf.yaml");
  if (baseline.type === "none") {
    console.log(`proto: nothing compared: ${baseline.reason}`);
    return;
  }
  const archive = join(scratch, "main.tar");
  const cwd = repositoryDirectory;
  await run("git", ["archive", "--output", archive, baseline.commit, "proto"], { cwd });
  await run("buf", ["breaking", "proto", "--against", `${archive}#subdir=proto`], { cwd });
  console.log(`proto: compatible with ${baseline.ref} (${baseline.commit.slice(0, 12)})`);
});
