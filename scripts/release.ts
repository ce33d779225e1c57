/**
 * `npm run release -- --dry-run` shows what a release would publish: each public package with the version
 * that its changesets lead to, and the size of its tarball. `--out DIR` keeps the tarballs. A program has its
 * bill of materials in its tarball: `dist/sbom.cdx.json`. Without `--dry-run` it publishes what is there; the versions have to be raised
 * before that, with `pnpm changeset version`.
 */
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { command } from "./gates/command.ts";
import { packagesToRelease, planText } from "./release/release-plan.ts";
import { packAll } from "./release/tarballs.ts";

const { values } = parseArgs({
  options: {
    "dry-run": { type: "boolean", default: false },
    out: { type: "string" },
    root: { type: "string", default: resolve(import.meta.dirname, "..") },
  },
});

process.exitCode = await release(values.root, values.out);

async function release(root: string, out: string | undefined): Promise<number> {
  const scratch = mkdtempSync(join(tmpdir(), "multipooler-release-"));
  try {
    const folder = out === undefined ? scratch : resolve(out);
    mkdirSync(folder, { recursive: true });
    const planned = await packagesToRelease(root, scratch);
    const packed = "reason" in planned ? planned : await packAll(root, folder, planned.packages);
    if ("reason" in packed) {
      return fail(packed.reason);
    }
    console.log(planText(packed.packages));
    if (values["dry-run"]) {
      console.log(
        out === undefined ? "Nothing was published." : `Nothing was published; see ${out}.`,
      );
      return 0;
    }
    return await publish(
      root,
      packed.packages.some(({ version, next }) => version !== next),
    );
  } finally {
    rmSync(scratch, { recursive: true });
  }
}

async function publish(root: string, hasPendingChangesets: boolean): Promise<number> {
  if (hasPendingChangesets) {
    return fail("There are changesets: raise the versions with `pnpm changeset version` first.");
  }
  const status = await command("git", ["status", "--porcelain"], { cwd: root });
  if (!status.ok || status.output !== "") {
    return fail(`The work tree has changes that are not committed:\n${status.output}`);
  }
  const published = await command("changeset", ["publish"], { cwd: root, timeoutMs: 1_800_000 });
  console.log(published.output);
  return published.ok ? 0 : 1;
}

function fail(reason: string): number {
  console.error(reason);
  return 1;
}
