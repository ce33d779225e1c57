import { globSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { afterAll, expect, test } from "vitest";
import { licenseText } from "../bundle/license-text.ts";
import { isOwn, packagesOf } from "../bundle/packages.ts";
import type { BundledPackage } from "../bundle/packages.ts";
import { isRecord } from "../gates/workspace.ts";

const APPS = resolve(import.meta.dirname, "../../apps");
const scratch = mkdtempSync(join(tmpdir(), "bundled "));
afterAll(() => rmSync(scratch, { recursive: true }));

/** What the source maps of a program name: that comes from the printer of code, not from a list of modules. */
function mappedPackages(dist: string): readonly BundledPackage[] {
  const modules = globSync("*.js.map", { cwd: dist }).flatMap((map) => {
    const json: unknown = JSON.parse(readFileSync(join(dist, map), "utf8"));
    const sources: unknown = isRecord(json) ? json["sources"] : undefined;
    return (Array.isArray(sources) ? sources : []).map((each) => resolve(dist, String(each)));
  });
  return packagesOf(modules);
}

const nameAndVersion = ({ name, version }: { name: string; version: string }): string =>
  `${name} ${version}`;

test.each([
  ["multipooler", "@multipooler/multipooler"],
  ["pgctld", "@multipooler/pgctld-daemon"],
])("the bill of %s is what was bundled", (program, own) => {
  const dist = join(APPS, program, "dist");
  const bill: unknown = JSON.parse(readFileSync(join(dist, "sbom.cdx.json"), "utf8"));
  const packages = mappedPackages(dist).filter(({ name }) => name !== own);
  expect(bill).toMatchObject({
    bomFormat: "CycloneDX",
    metadata: { component: { type: "application", name: own } },
    components: packages.map((each) => ({
      name: each.name,
      version: each.version,
      licenses: [{ expression: each.license }],
      ...(isOwn(each) ? {} : { hashes: [{ alg: "SHA-512", content: expect.any(String) }] }),
    })),
  });
  const notices = readFileSync(join(dist, "THIRD-PARTY-NOTICES.txt"), "utf8").split(
    `\n${"-".repeat(80)}\n\n`,
  );
  const others = packages.filter((each) => !isOwn(each));
  expect(notices.map((notice) => notice.split(",", 1)[0])).toEqual(others.map(nameAndVersion));
  for (const notice of notices) {
    expect(notice).toMatch(/permission|permitted|TERMS AND CONDITIONS/i);
  }
});

const MIT = "Permission is hereby granted, free of charge, to any person.";
const PATENT = "Licensed under the Apache License.";
const BSD = "Redistribution and use in source and binary forms are permitted.";

interface Files {
  readonly [path: string]: string;
}

function packaged(title: string, license: string | undefined, files: Files): string {
  const folder = join(scratch, title);
  const manifest = JSON.stringify({ name: "left-pad", version: "1.3.0", license });
  for (const [path, text] of Object.entries({ "package.json": manifest, "a.js": "", ...files })) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
  return folder;
}

const modulesOf = (folder: string): string[] =>
  globSync("**/*.js", { cwd: folder }).map((each) => join(folder, each));

const textOf = (folder: string): string =>
  packagesOf(modulesOf(folder)).map(licenseText).join("\n");

test.each<readonly [title: string, license: string, files: Files, expected: readonly string[]]>([
  ["all license files", "MIT", { "LICENSE-MIT": MIT, "LICENSE.md": "Or." }, [MIT, "Or."]],
  ["a notice", "Apache-2.0", { LICENSE: "Terms.", "NOTICE.txt": "By us." }, ["Terms.", "By us."]],
  [
    "the README",
    "MIT",
    { "README.md": `# Pad\n\n## License\n\nCopyright Pad\n\n${MIT}\n\n## More\n\nNo.` },
    ["Copyright Pad", MIT],
  ],
  [
    "modules",
    "(Apache-2.0 AND BSD-3-Clause)",
    {
      "b.js": `// Copyright Buf\n// ${PATENT}\nlet b;`,
      "c.js": `// Copyright Goo\n// ${BSD}\nlet c;`,
    },
    ["Copyright Buf", "Copyright Goo", BSD, "TERMS AND CONDITIONS"],
  ],
])("the text of a license is found in %s", (title, license, files, expected) => {
  const text = textOf(packaged(title, license, files));
  for (const each of expected) {
    expect(text).toContain(each);
  }
  expect(text).not.toContain("No.");
});

test.each<readonly [title: string, license: string | undefined, files: Files, fault: string]>([
  ["without text", "MIT", { "README.md": "## License\n\nMIT\n" }, "the text of its license"],
  ["with a notice alone", "Apache-2.0", { NOTICE: "By us." }, "the text of its license"],
  ["with half of it", "Apache-2.0 AND MIT", { "b.js": "// Copyright Buf" }, "the text of its"],
  ["without license", undefined, { LICENSE: "Terms." }, "left-pad 1.3.0 names no license"],
])("a package %s cannot be bundled", (title, license, files, fault) => {
  const folder = packaged(title, license, files);
  expect(() => textOf(folder)).toThrow(fault);
});
