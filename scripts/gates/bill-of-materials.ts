import { readFileSync } from "node:fs";
import { join } from "node:path";
import { command } from "./command.ts";
import type { GateResult } from "./gate.ts";
import { isRecord, readPackage } from "./workspace.ts";

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

/** The bill of materials of the program in CycloneDX' JSON, or why there is none. */
export async function billOfMaterials(
  root: string,
): Promise<{ readonly json: string } | { readonly reason: string }> {
  const components = await shippedComponents(root);
  if ("reason" in components) {
    return components;
  }
  const { name, version } = readPackage(root, "apps/multipooler");
  const bill = {
    bomFormat: "CycloneDX",
    specVersion: "1.6",
    version: 1,
    metadata: {
      component: { type: "application", name, version, purl: purlOf({ name, version }) },
    },
    components: components.list.map((component) => ({
      type: "library",
      "bom-ref": purlOf(component),
      name: component.name,
      version: component.version,
      purl: purlOf(component),
      licenses: [{ expression: component.license }],
      ...(component.integrity === undefined ? {} : { hashes: [hashOf(component.integrity)] }),
    })),
  };
  return { json: `${JSON.stringify(bill, undefined, 2)}\n` };
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
  const lock = readFileSync(join(root, "pnpm-lock.yaml"), "utf8");
  const list = Object.entries(isRecord(report) ? report : {}).flatMap(([license, packages]) =>
    (Array.isArray(packages) ? packages : []).flatMap((one: unknown) =>
      componentsOf(one, license, lock),
    ),
  );
  return { list: list.toSorted((one, other) => (purlOf(one) < purlOf(other) ? -1 : 1)) };
}

function componentsOf(one: unknown, license: string, lock: string): Component[] {
  const { name, versions } = isRecord(one) ? one : {};
  return (Array.isArray(versions) ? versions : []).map((each: unknown) => {
    const version = String(each);
    const integrity = integrityIn(lock, `${String(name)}@${version}`);
    return { name: String(name), version, license: license.replace(/^\((.*)\)$/, "$1"), integrity };
  });
}

function integrityIn(lock: string, key: string): string | undefined {
  for (const head of [`\n  ${key}:\n`, `\n  '${key}':\n`]) {
    const at = lock.indexOf(head);
    if (at !== -1) {
      return /^ +resolution: \{integrity: ([^,}]+)/.exec(lock.slice(at + head.length))?.[1];
    }
  }
  return undefined;
}

/** Of "A OR B" one is enough, of "A AND B" both are needed. */
function isAllowed(license: string): boolean {
  return license
    .split(/ OR /i)
    .some((choice) =>
      choice.split(/ AND /i).every((part) => ALLOWED.has(part.replaceAll(/[()]/g, "").trim())),
    );
}

function hashOf(integrity: string): { readonly alg: string; readonly content: string } {
  const [algorithm = "", base64 = ""] = integrity.split("-", 2);
  const alg = algorithm.replace(/^sha(\d+)$/, "SHA-$1");
  return { alg, content: Buffer.from(base64, "base64").toString("hex") };
}

function purlOf({ name, version }: { readonly name: string; readonly version: string }): string {
  return `pkg:npm/${name.replace("@", "%40")}@${version}`;
}
