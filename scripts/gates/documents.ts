import {
  existsSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

import { BOUNDARIES } from "../lint/boundary-table.ts";
import { command } from "./command.ts";
import { allOf } from "./gate.ts";
import type { GateResult } from "./gate.ts";
import { importTableFaults } from "./import-table.ts";
import { fileLinksOf, snippetsOf } from "./snippets.ts";
import { referenceFaults, sourceReferencesOf } from "./source-references.ts";
import { checkPrograms } from "./document-programs.ts";
import { workspacePackages } from "./workspace.ts";

/** The document that leads through the code. */
const ARCHITECTURE = "docs/architecture.md";
/** The paths of a query that it writes down: of a call, and of a session's statement. */
const PATHS = { paths: 2, maxSteps: 15 };

/**
 * The documents keep what they promise: links to files lead somewhere, `npm` commands exist, and so do
 * commands and settings of the programs, the TypeScript in a package's README compiles against that
 * package as it was built, and the architecture names what is in the code and imports what the
 * boundary table allows.
 */
export async function checkDocuments(root: string): Promise<GateResult> {
  const documents = globSync(
    ["*.md", "docs/**/*.md", "{packages,apps,dev}/*/*.md", "{benchmarks,deploy,e2e}/*.md"],
    { cwd: root },
  );
  const readmes = documents.filter((path) => /^(packages|apps)\/[^/]+\/README\.md$/.test(path));
  const result = allOf([
    ...documents.map((path) => checkLinks(root, path)),
    ...documents.map((path) => checkCommands(root, path)),
    ...(await Promise.all(readmes.map((path) => compileSnippets(root, path)))),
    await checkPrograms(root, documents),
    checkArchitecture(root, ARCHITECTURE),
  ]);
  return result.ok ? { ok: true, output: `${documents.length} documents` } : result;
}

function checkLinks(root: string, document: string): GateResult {
  const broken = fileLinksOf(read(root, document)).filter(
    ({ path }) => !existsSync(join(root, dirname(document), path)),
  );
  const lines = broken.map(({ path, line }) => `${document}:${line}: there is no file ${path}`);
  return { ok: lines.length === 0, output: lines.join("\n") };
}

function checkArchitecture(root: string, document: string): GateResult {
  const text = read(root, document);
  const sourceOf = (file: string): string | undefined => {
    const path = join(dirname(document), file);
    return existsSync(join(root, path)) ? read(root, path) : undefined;
  };
  const published = workspacePackages(root).filter((each) => each.public);
  const folders = published.map(({ folder }) => folder);
  const lines = [
    ...referenceFaults(sourceReferencesOf(text), sourceOf, PATHS),
    ...importTableFaults(text, folders, BOUNDARIES),
  ].map((fault) => `${document}:${fault}`);
  return { ok: lines.length === 0, output: lines.join("\n") };
}

/** `npm start`, `npm test` and `npm run x` in shell snippets are scripts of the root. */
function checkCommands(root: string, document: string): GateResult {
  const scripts = rootScripts(root);
  const lines = snippetsOf(read(root, document))
    .filter(({ language }) => language === "sh")
    .flatMap(({ code, line }) =>
      [...code.matchAll(/^npm (?:run ([\w:-]+)|(start|test)\b)/gm)]
        .map(({ 1: named, 2: short = "" }) => named ?? short)
        .filter((script) => !scripts.has(script))
        .map((script) => `${document}:${line}: package.json has no script "${script}"`),
    );
  return { ok: lines.length === 0, output: lines.join("\n") };
}

function rootScripts(root: string): ReadonlySet<string> {
  const manifest: unknown = JSON.parse(read(root, "package.json"));
  if (typeof manifest !== "object" || manifest === null || !("scripts" in manifest)) {
    return new Set();
  }
  return new Set(Object.keys(manifest.scripts ?? {}));
}

async function compileSnippets(root: string, readme: string): Promise<GateResult> {
  const snippets = snippetsOf(read(root, readme)).filter(({ language }) => language === "ts");
  if (snippets.length === 0) {
    // A program shows commands, and those are checked as well.
    const ok = readme.startsWith("apps/");
    return { ok, output: ok ? "" : `${readme}:1: has no example in TypeScript` };
  }
  const scratch = mkdtempSync(join(tmpdir(), "multipooler-snippets-"));
  try {
    linkModules(root, dirname(readme), scratch);
    writeFileSync(join(scratch, "package.json"), '{"type":"module"}');
    writeFileSync(join(scratch, "tsconfig.json"), snippetConfig(root));
    for (const { code, line } of snippets) {
      // As many empty lines as stand above it in the document, so that errors name its lines.
      writeFileSync(join(scratch, `line-${line}.ts`), `${"\n".repeat(line - 1)}${code}`);
    }
    const options = { cwd: scratch, tools: root };
    const { ok, output } = await command("tsc", ["-p", ".", "--pretty", "false"], options);
    return { ok, output: output.replaceAll(/^line-\d+\.ts\((\d+),\d+\)/gm, `${readme}:$1`) };
  } finally {
    rmSync(scratch, { recursive: true });
  }
}

function snippetConfig(root: string): string {
  return JSON.stringify({
    extends: join(root, "tsconfig.base.json"),
    // A snippet shows its values by naming them.
    compilerOptions: { noEmit: true, noUnusedLocals: false, isolatedDeclarations: false },
    include: ["*.ts"],
  });
}

/** What the package itself can import, plus every package of the workspace by its name. */
function linkModules(root: string, folder: string, scratch: string): void {
  const link = (name: string, target: string): void => {
    const path = join(scratch, "node_modules", name);
    mkdirSync(dirname(path), { recursive: true });
    if (!existsSync(path)) {
      symlinkSync(target, path);
    }
  };
  for (const each of workspacePackages(root)) {
    link(each.name, join(root, each.folder));
  }
  for (const modules of [join(root, folder, "node_modules"), join(root, "node_modules")]) {
    for (const name of installedIn(modules)) {
      link(name, join(modules, name));
    }
  }
}

function installedIn(modules: string): string[] {
  if (!existsSync(modules)) {
    return [];
  }
  return readdirSync(modules)
    .filter((name) => !name.startsWith("."))
    .flatMap((name) =>
      name.startsWith("@")
        ? readdirSync(join(modules, name)).map((sub) => `${name}/${sub}`)
        : [name],
    );
}

function read(root: string, path: string): string {
  return readFileSync(join(root, path), "utf8");
}
