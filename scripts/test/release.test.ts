import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { command } from "../gates/command.ts";
import type { CommandResult } from "../gates/command.ts";
import { packagesToRelease } from "../release/release-plan.ts";
import { copyRepository } from "./planted-tree.ts";
import type { PlantedTree } from "./planted-tree.ts";

const LIMIT = { timeout: 180_000 };
const ROOT = join(import.meta.dirname, "../..");

let tree: PlantedTree;
let out: string;
beforeAll(() => {
  tree = copyRepository(ROOT);
  out = mkdtempSync(join(tmpdir(), "multipooler release "));
});
afterAll(() => {
  tree[Symbol.dispose]();
  rmSync(out, { recursive: true });
});

/** Nothing listens on this port: whatever happens, nothing is published. */
const NOWHERE = { npm_config_registry: "http://127.0.0.1:9/" };

async function release(...args: readonly string[]): Promise<CommandResult> {
  const script = join(ROOT, "scripts/release.ts");
  return await command(process.execPath, [script, "--root", tree.root, ...args], {
    cwd: tree.root,
    env: NOWHERE,
  });
}

test("a dry run shows versions and tarballs, and publishes nothing", LIMIT, async () => {
  const planted = { ".changeset/planted.md": '---\n"@multipooler/topo": major\n---\n\nNew.\n' };
  using _planted = tree.plant(planted);
  const { ok, output } = await release("--dry-run", "--out", out);
  expect({ ok, output }).toEqual({ ok: true, output: expect.stringContaining("1.0.0") });
  expect(output).toMatch(/^@multipooler\/topo +0\.0\.0 -> 1\.0\.0 +\d+ files +\d+ KiB$/m);
  expect(output).toMatch(/^@multipooler\/multipooler +0\.0\.0 -> /m);
  expect(output).not.toContain("@multipooler/quickstart");
  expect(output).toContain("Nothing was published");
  expect(readdirSync(out)).toContain("multipooler-topo-0.0.0.tgz");
  const tarball = join(out, "multipooler-multipooler-0.0.0.tgz");
  const bill = await command("tar", ["-xzOf", tarball, "package/dist/sbom.cdx.json"], { cwd: out });
  expect(JSON.parse(bill.output)).toMatchObject({ bomFormat: "CycloneDX" });
});

test("a library's fix releases the programs that have it in them", LIMIT, async () => {
  tree.git("rm", "--quiet", ":(glob).changeset/*.md");
  using _planted = tree.plant({
    ".changeset/planted.md": '---\n"@multipooler/topo": patch\n---\n\nMended.\n',
    // Before 1.0.0 a fix leaves the range of those that depend on it, and they would be released anyway.
    "packages/topo/package.json": (text) =>
      text.replace('"version": "0.0.0"', '"version": "1.0.0"'),
  });
  const plan = await packagesToRelease(tree.root, out);
  const next = "reason" in plan ? [] : plan.packages.map((each) => [each.name, each.next]);
  expect(Object.fromEntries(next)).toMatchObject({
    "@multipooler/topo": "1.0.1",
    "@multipooler/multipooler": "0.0.1",
    "@multipooler/pgctld-daemon": "0.0.0",
  });
});

test("a release is refused while there are changesets", LIMIT, async () => {
  const planted = { ".changeset/planted.md": '---\n"@multipooler/topo": minor\n---\n\nNew.\n' };
  using _planted = tree.plant(planted);
  const { ok, output } = await release();
  expect(ok).toBe(false);
  expect(output).toContain("raise the versions with `pnpm changeset version` first");
});
