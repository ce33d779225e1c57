// Generates src/gen from /proto. With --check it changes nothing, lists the files that are out of
// date and fails if there are any.
import { cp, rm } from "node:fs/promises";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { compareDirectories } from "./directory-difference.ts";
import { generateCode } from "./generated-code.ts";
import { GENERATED_PATH, repositoryDirectory } from "./paths.ts";
import { runTask } from "./task.ts";

const { values } = parseArgs({ options: { check: { type: "boolean", default: false } } });
const committed = join(repositoryDirectory, GENERATED_PATH);

await runTask(async (scratch) => {
  const generated = await generateCode(scratch);
  const differences = await compareDirectories(generated, committed);
  if (differences.length === 0) {
    return;
  }
  if (values.check) {
    const lines = differences.map(({ path, kind }) => `${kind}: ${join(GENERATED_PATH, path)}`);
    const advice = "Run `pnpm --filter @multipooler/proto run generate` and commit the result.";
    throw new Error([...lines, advice].join("\n"));
  }
  await rm(committed, { recursive: true, force: true });
  await cp(generated, committed, { recursive: true });
});
