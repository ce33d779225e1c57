import { resolve } from "node:path";
import type { Plugin } from "rolldown";
import { LockFile } from "../gates/lock-file.ts";
import { bundledModules } from "./bundled-modules.ts";
import { isOwn, packagesOf } from "./packages.ts";
import type { BundledPackage } from "./packages.ts";

const ROOT = resolve(import.meta.dirname, "../..");

/** Writes what is in the bundle beside it, in CycloneDX' JSON: nobody sees it in `node_modules` any more. */
export function billOfMaterials(program: {
  readonly name: string;
  readonly version: string;
}): Plugin {
  return {
    name: "bill-of-materials",
    generateBundle(_options, bundle) {
      const { name, version } = program;
      const lock = LockFile.in(ROOT);
      const packages = packagesOf(bundledModules(bundle)).filter((each) => each.name !== name);
      const bill = {
        bomFormat: "CycloneDX",
        specVersion: "1.6",
        version: 1,
        metadata: { component: { type: "application", name, version, purl: purlOf(program) } },
        components: packages.map((each) => componentOf(each, lock)),
      };
      const source = `${JSON.stringify(bill, undefined, 2)}\n`;
      this.emitFile({ type: "asset", fileName: "sbom.cdx.json", source });
    },
  };
}

function componentOf(subject: BundledPackage, lock: LockFile): object {
  const { name, version, license } = subject;
  const integrity = isOwn(subject) ? undefined : lock.integrity(subject);
  return {
    type: "library",
    "bom-ref": purlOf(subject),
    name,
    version,
    purl: purlOf(subject),
    licenses: [{ expression: license }],
    ...(integrity === undefined ? {} : { hashes: [hashOf(integrity)] }),
  };
}

function hashOf(integrity: string): { readonly alg: string; readonly content: string } {
  const [algorithm = "", base64 = ""] = integrity.split("-", 2);
  const alg = algorithm.replace(/^sha(\d+)$/, "SHA-$1");
  return { alg, content: Buffer.from(base64, "base64").toString("hex") };
}

function purlOf({ name, version }: { readonly name: string; readonly version: string }): string {
  return `pkg:npm/${name.replace("@", "%40")}@${version}`;
}
