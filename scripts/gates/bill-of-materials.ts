import { command } from "./command.ts";
import type { GateResult } from "./gate.ts";
import { LockFile } from "./lock-file.ts";
import { isRecord } from "./workspace.ts";

/** A package of somebody else that is shipped with ours. */
interface Component {
  readonly name: string;
  readonly version: string;
  /** An SPDX expression. */
  readonly license: string;
  /** As the lock file has it, e.g. "sha512-…"; `undefined`: it has none. */
  readonly integrity: string | undefined;
}

/** Licenses whose packages may be shipped with one under Apache-2.0. */
const ALLOWED = new Set([
  "0BSD",
  "Apache-2.0",
  "BSD-2-Clause",
  "BSD-3-Clause",
  "BlueOak-1.0.0",
  "CC0-1.0",
  "ISC",
  "MIT",
  "Unlicense",
]);

/** What is shipped may be shipped, and is pinned by its hash. */
export async function checkBillOfMaterials(root: string): Promise<GateResult> {
  const components = await shippedComponents(root);
  if ("reason" in components) {
    return { ok: false, output: components.reason };
  }
  return judgeComponents(components.list);
}

/** Which of them may not be shipped, or could be replaced on the way here. */
export function judgeComponents(components: readonly Component[]): GateResult {
  const faults = components.flatMap(({ name, version, license, integrity }) => [
    ...(isAllowed(license)
      ? []
      : [`${name}@${version}: license ${license} is not one that is allowed`]),
    ...(integrity === undefined ? [`${name}@${version}: pnpm-lock.yaml has no hash of it`] : []),
  ]);
  return faults.length === 0 && components.length > 0
    ? { ok: true, output: `${components.length} components` }
    : { ok: false, output: faults.join("\n") || "nothing is shipped" };
}

async function shippedComponents(
  root: string,
): Promise<{ readonly list: readonly Component[] } | { readonly reason: string }> {
  const args = ["licenses", "list", "--prod", "--json"];
  const { ok, output } = await command(
    "pnpm",
    ["--filter", "./packages/**", "--filter", "./apps/**", ...args],
    { cwd: root },
  );
  const begin = output.indexOf("{");
  if (!ok || begin === -1) {
    return { reason: `pnpm ${args.join(" ")}: ${output}` };
  }
  const report: unknown = JSON.parse(output.slice(begin));
  const lock = LockFile.in(root);
  const list = Object.entries(isRecord(report) ? report : {}).flatMap(([license, packages]) =>
    (Array.isArray(packages) ? packages : []).flatMap((one: unknown) =>
      componentsOf(one, license, lock),
    ),
  );
  return { list: list.toSorted((one, other) => (one.name < other.name ? -1 : 1)) };
}

function componentsOf(one: unknown, license: string, lock: LockFile): Component[] {
  const { name, versions } = isRecord(one) ? one : {};
  return (Array.isArray(versions) ? versions : []).map((each: unknown) => {
    const pinned = { name: String(name), version: String(each) };
    const integrity = lock.integrity(pinned);
    return { ...pinned, license: license.replace(/^\((.*)\)$/, "$1"), integrity };
  });
}

/** Of "A OR B" one is enough, of "A AND B" both are needed. */
function isAllowed(license: string): boolean {
  return license
    .split(/ OR /i)
    .some((choice) =>
      choice.split(/ AND /i).every((part) => ALLOWED.has(part.replaceAll(/[()]/g, "").trim())),
    );
}
