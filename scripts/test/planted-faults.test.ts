import { once } from "node:events";
import { createServer } from "node:http";
import { join } from "node:path";

import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { gates } from "../gates/all.ts";
import type { GateResult } from "../gates/gate.ts";
import { lintFaults } from "./lint-faults.ts";
import { copyRepository } from "./planted-tree.ts";
import type { PlantedTree, Plants } from "./planted-tree.ts";

// Each gate runs on a copy of this repository with faults in it, and must name every one. Whether
// the repository itself is sound is what `npm run check` tells.
let tree: PlantedTree;
beforeAll(() => {
  tree = copyRepository(join(import.meta.dirname, "../.."));
});
afterAll(() => tree[Symbol.dispose]());

const LIMIT = { timeout: 180_000 };

async function gateOn(name: string, plants: Plants): Promise<GateResult> {
  using _planted = tree.plant(plants);
  const gate = gates.find((each) => each.name === name);
  if (gate === undefined) {
    throw new Error(`there is no gate ${name}`);
  }
  return await gate.run(tree.root);
}

test("format: unformatted files", LIMIT, async () => {
  const { ok, output } = await gateOn("format", {
    "packages/topo/src/planted.ts": "export const a = {b:1}\n",
    "packages/topo/planted.json": '{"a":1,   "b":2}',
    "docs/planted.md": "*  item\n",
    ".changeset/planted.yaml": "a:    1\n",
  });
  expect(ok).toBe(false);
  for (const ending of ["src/planted.ts", "planted.json", "planted.md", "planted.yaml"]) {
    expect(output).toContain(ending);
  }
});

test("lint: every kind of fault that the rules are for", LIMIT, async () => {
  const { ok, output } = await gateOn(
    "lint",
    Object.fromEntries(lintFaults.map(({ path, source }) => [path, source])),
  );
  expect(ok).toBe(false);
  const lines = output.split("\n");
  const unseen = lintFaults.filter(
    ({ path, rule }) => !lines.some((line) => line.startsWith(`${path}:`) && line.includes(rule)),
  );
  expect(unseen).toEqual([]);
});

test("types: sources, tests, scripts and files that no tsconfig.json includes", LIMIT, async () => {
  const wrong = 'export const planted: number = "text";\n';
  const { ok, output } = await gateOn("types", {
    "packages/topo/src/planted.ts": wrong,
    "packages/topo/src/planted.test.ts": wrong,
    "packages/topo/elsewhere/planted.ts": "export const planted: number = 1;\n",
    "packages/pgwire/src/planted.ts": "export const planted = Math.max(1);\n",
    "scripts/planted.ts": wrong,
    "dev/quickstart/tsconfig.json": '{ "include": [',
  });
  expect(ok).toBe(false);
  expect(output).toMatch(/^packages\/topo\/src\/planted\.ts\(1,14\): error TS2322/m);
  expect(output).toMatch(/^packages\/topo\/src\/planted\.test\.ts\(1,14\): error TS2322/m);
  expect(output).toContain("packages/topo/elsewhere/planted.ts: not included");
  expect(output).toMatch(/^packages\/pgwire\/src\/planted\.ts\(1,14\): error TS9010/m);
  expect(output).toMatch(/^scripts\/planted\.ts\(1,14\): error TS2322/m);
  expect(output).toContain("dev/quickstart/tsconfig.json");
});

test("boundaries: manifests and generated code that the table does not allow", LIMIT, async () => {
  const depending = (field: string, name: string, range: string) => (text: string) =>
    withFields(text, { [field]: { [name]: range } });
  const { ok, output } = await gateOn("boundaries", {
    "package.json": depending("devDependencies", "knip", "^6.0.0"),
    "benchmarks/package.json": (text) =>
      text.replace('"name": "@multipooler/benchmarks"', '"name": "planted"'),
    "packages/manager/package.json": depending("dependencies", "pg", "^8.0.0"),
    "packages/pgwire/package.json": depending(
      "devDependencies",
      "@multipooler/poolerserver",
      "workspace:^",
    ),
    "packages/timing/package.json": JSON.stringify({
      name: "@multipooler/timing",
      peerDependencies: { pino: "^1.0.0" },
    }),
    "packages/planted/package.json": '{ "name": "@multipooler/planted" }',
    "apps/multipooler/package.json": depending("dependencies", "@multipooler/topo", "0.0.0"),
    "dev/quickstart/package.json": depending("dependencies", "@multipooler/e2e", "workspace:^"),
    "packages/manager/src/planted.ts":
      '// oxlint-disable-next-line multipooler/boundaries -- No.\nimport "@multipooler/poolerserver";\n',
    "packages/proto/src/gen/planted.ts":
      'import "./any.ts";\nexport * from "@multipooler/topo";\nimport { a } from "left-pad";\n',
  });
  expect(ok).toBe(false);
  const lines = output.split("\n");
  for (const expected of [
    /^package\.json:\d+: devDependencies: "knip" is "\^6\.0\.0" and should be "catalog:"$/,
    /^benchmarks\/package\.json:1: the package in benchmarks is called "planted", not/,
    /^packages\/manager\/package\.json:\d+: dependencies: "pg" is "\^8\.0\.0" and should be "catalog:"$/,
    /^packages\/pgwire\/package\.json:\d+: devDependencies: packages\/pgwire may not depend on packages\/poolerserver$/,
    /^packages\/timing\/package\.json:1: peerDependencies: "pino"; packages\/timing has no dependency at all$/,
    /^packages\/planted\/package\.json:1: packages\/planted is not in the table/,
    /^apps\/multipooler\/package\.json:\d+: dependencies: "@multipooler\/topo" is "0\.0\.0" and should be "workspace:\^"$/,
    /^dev\/quickstart\/package\.json:\d+: dependencies: dev\/quickstart may not depend on e2e$/,
    /^packages\/manager\/src\/planted\.ts:1: the boundaries have no exceptions; /,
    /^packages\/proto\/src\/gen\/planted\.ts:2: packages\/proto may not import packages\/topo; /,
    /^packages\/proto\/src\/gen\/planted\.ts:3: "left-pad" is not in the package\.json of packages\/proto$/,
  ]) {
    expect(lines).toContainEqual(expect.stringMatching(expected));
  }
});

test("unused: files, exports and dependencies that nobody uses", LIMIT, async () => {
  const { ok, output } = await gateOn("unused", {
    "packages/pgwire/src/planted.ts": "export const planted: number = 1;\n",
    "packages/pgwire/src/index.ts": callOfHalf,
    "packages/pgwire/src/half.ts":
      "export function usedHere(): void {}\nexport function usedNowhere(): void {}\n",
    "packages/pgwire/package.json": (text) =>
      withFields(text, { dependencies: { pino: "catalog:" } }),
  });
  expect(ok).toBe(false);
  expect(output).toContain("packages/pgwire/src/planted.ts");
  expect(output).toMatch(/usedNowhere\s+function\s+packages\/pgwire\/src\/half\.ts/);
  expect(output).not.toContain("usedHere");
  expect(output).toMatch(/pino\s+packages\/pgwire\/package\.json/);
});

test("unused-in-product: exports that only their test uses", LIMIT, async () => {
  const { ok, output } = await gateOn("unused-in-product", {
    "packages/pgwire/src/index.ts": callOfHalf,
    "packages/pgwire/src/half.ts":
      "export function usedHere(): void {}\nexport function usedByTests(): void {}\n",
    "packages/pgwire/src/half.test.ts":
      'import { test } from "vitest";\nimport { usedByTests } from "./half.ts";\ntest("x", usedByTests);\n',
  });
  expect(ok).toBe(false);
  expect(output).toMatch(/usedByTests\s+function\s+packages\/pgwire\/src\/half\.ts/);
  expect(output).not.toContain("usedHere");
});

test("proto-lint: a message that breaks the naming rules", LIMIT, async () => {
  const { ok, output } = await gateOn("proto-lint", {
    "proto/multipooler/v1/manager.proto": (text) =>
      `${text}\nmessage planted_message {\n  string Field = 1;\n}\n`,
  });
  expect(ok).toBe(false);
  expect(output).toContain("planted_message");
});

test("proto-generated: a contract that was changed without generating", LIMIT, async () => {
  const { ok, output } = await gateOn("proto-generated", {
    "proto/multipooler/v1/manager.proto": (text) =>
      `${text}\nmessage Planted {\n  string field = 1;\n}\n`,
  });
  expect(ok).toBe(false);
  expect(output).toContain("packages/proto/src/gen/multipooler/v1/manager.ts");
});

test("proto-compatible: a field that main has under another number", LIMIT, async () => {
  const { ok, output } = await gateOn("proto-compatible", {
    "proto/multigres/query.proto": (text) => text.replace(/ = 1;/, " = 901;"),
  });
  expect(ok).toBe(false);
  expect(output).toContain("multigres/query.proto");
});

test("packaging: packages that cannot be published or imported", LIMIT, async () => {
  const { ok, output } = await gateOn("packaging", {
    // publint: the order of conditions makes the types unreachable.
    "packages/controller-api/package.json": (text) =>
      withFields(text, {
        exports: { ".": { default: "./dist/index.js", types: "./dist/index.d.ts" } },
      }),
    // publint: a file that is not there.
    "packages/pgwire/package.json": (text) =>
      withFields(text, {
        exports: { ".": { types: "./dist/index.d.ts", default: "./dist/missing.js" } },
      }),
    // attw: JavaScript without types.
    "packages/topo/package.json": (text) =>
      withFields(text, { exports: { ".": { default: "./dist/planted.js" } } }),
    "packages/topo/dist/planted.js": "export const planted = 1;\n",
    // Contents: tests and sources in the tarball.
    "packages/proto/package.json": (text) => text.replace('"dist"\n', '"dist",\n    "src"\n'),
    "packages/proto/dist/planted.test.js": "export {};\n",
  });
  expect(ok).toBe(false);
  expect(output).toMatch(/packages\/controller-api: publint\n[^]*types should be the first/);
  expect(output).toMatch(/packages\/pgwire: publint\n[^]*missing\.js but the file does not exist/);
  expect(output).toMatch(/packages\/topo: attw\n[^]*no type declarations were found/);
  expect(output).toContain("dist/planted.test.js is a test");
  expect(output).toMatch(/^src\/.* does not belong into the package$/m);
});

test("materials: a dependency whose hash is gone", LIMIT, async () => {
  const { ok, output } = await gateOn("materials", {
    "pnpm-lock.yaml": (text) =>
      text.replace(
        /(\n {2}pino@[\d.]+:\n +resolution: )\{integrity: [^}]+\}\n/,
        "$1{tarball: https://registry.test/pino.tgz}\n",
      ),
  });
  expect(ok).toBe(false);
  expect(output).toMatch(/pino@[\d.]+.*integrity/);
});

test("audit: a fault that the registry knows", LIMIT, async () => {
  const advisory = { module_name: "pino", severity: "high", title: "logs too much", findings: [] };
  const vulnerabilities = { info: 0, low: 0, moderate: 0, high: 1, critical: 0 };
  const report = {
    actions: [],
    muted: [],
    advisories: { 1: advisory },
    metadata: { vulnerabilities },
  };
  const registry = createServer((_request, response) => {
    response.setHeader("content-type", "application/json");
    response.end(JSON.stringify(report));
  }).listen(0, "127.0.0.1");
  await once(registry, "listening");
  const address = registry.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  try {
    const npmrc = { ".npmrc": `registry=http://127.0.0.1:${port}/\n` };
    const { ok, output } = await gateOn("audit", npmrc);
    expect(ok).toBe(false);
    expect(output).toContain("pino: high: logs too much");
  } finally {
    registry.close();
    await once(registry, "close");
  }
});

test("audit: nothing to say where no registry answers", LIMIT, async () => {
  // Nobody listens on this port.
  const { ok, output } = await gateOn("audit", { ".npmrc": "registry=http://127.0.0.1:9/\n" });
  expect(ok).toBe(true);
  expect(output).toContain("the registry could not be asked");
});

test("documents: links, commands and snippets that do not hold", LIMIT, async () => {
  const { ok, output } = await gateOn("documents", {
    "docs/planted.md":
      "# Planted\n\nSee [this](./nowhere.md).\n\n```sh\nnpm run nothing\nmultipooler ctl nothing\n```\n",
    "docs/guides/planted.md":
      "# Planted\n\n`--no-such-setting`\n\n```yaml\npg-listen-port: 70000\n```\n",
    "packages/topo/README.md":
      '# Topo\n\n```ts\nimport { nothing } from "@multipooler/topo";\nnothing();\n```\n',
    "docs/architecture.md": (text) =>
      text
        .replace("`CallAnswer` reads", "`AnswerNobody` reads")
        .replace(/^(\| `topo` .*\|).*$/m, "$1 nothing |"),
  });
  expect(ok).toBe(false);
  expect(output).toContain("docs/planted.md:3: there is no file ./nowhere.md");
  expect(output).toContain('docs/planted.md:6: package.json has no script "nothing"');
  expect(output).toContain('docs/planted.md:7: there is no command "ctl nothing"');
  expect(output).toContain("docs/guides/planted.md:3: no program has --no-such-setting");
  expect(output).toMatch(/^docs\/guides\/planted\.md:6: .*pg-listen-port/m);
  expect(output).toMatch(/^packages\/topo\/README\.md:4: error TS2305/m);
  expect(output).toMatch(/^docs\/architecture\.md:\d+: .*call-answer\.ts has no AnswerNobody$/m);
  expect(output).toMatch(/^docs\/architecture\.md:\d+: packages\/topo imports proto, timing$/m);
});

describe("changesets", () => {
  const change = { "packages/topo/src/index.ts": (text: string) => `${text}// changed\n` };
  const changeset = (front: string, summary = "Something changed."): Plants => ({
    ".changeset/planted.md": `---\n${front}---\n\n${summary}\n`,
  });

  test("a changed public package without a changeset", LIMIT, async () => {
    const { ok, output } = await gateOn("changesets", change);
    expect(ok).toBe(false);
    expect(output).toContain("@multipooler/topo");
    expect(output).not.toContain("@multipooler/manager");
  });

  test("a changeset for another package does not help", LIMIT, async () => {
    const plants = { ...change, ...changeset('"@multipooler/manager": patch\n') };
    expect(await gateOn("changesets", plants)).toMatchObject({ ok: false });
  });

  test.each([
    ["names the package", '"@multipooler/topo": patch\n'],
    ["is empty: no release is needed", ""],
  ])("content with a changeset that %s", LIMIT, async (_title, front) => {
    const result = await gateOn("changesets", { ...change, ...changeset(front) });
    expect(result).toMatchObject({ ok: true });
  });

  test(
    "another version of somebody else's package, which programs have in them",
    LIMIT,
    async () => {
      const plants: Plants = {
        "pnpm-lock.yaml": (text) =>
          text
            .replaceAll(/\bpg-int8@1\.0\.1\b/g, "pg-int8@1.0.2")
            .replaceAll("pg-int8: 1.0.1", "pg-int8: 1.0.2"),
      };
      const { ok, output } = await gateOn("changesets", plants);
      expect(ok).toBe(false);
      expect(output).toContain("@multipooler/multipooler");
      expect(output).not.toContain("@multipooler/manager");
      const named = { ...plants, ...changeset('"@multipooler/multipooler": patch\n') };
      expect(await gateOn("changesets", named)).toMatchObject({ ok: true });
    },
  );

  test.each([
    ["a package that is private", '"@multipooler/quickstart": patch\n'],
    ["a package that does not exist", '"@multipooler/nowhere": patch\n'],
    ["a bump that does not exist", '"@multipooler/topo": big\n'],
  ])("a changeset that names %s", LIMIT, async (_title, front) => {
    const result = await gateOn("changesets", changeset(front));
    expect(result).toMatchObject({ ok: false });
    expect(result.output).toContain(".changeset/planted.md");
  });

  test("a changeset that does not say what changed", LIMIT, async () => {
    const result = await gateOn("changesets", changeset('"@multipooler/topo": patch\n', ""));
    expect(result).toMatchObject({ ok: false });
    expect(result.output).toContain(".changeset/planted.md does not say what changed");
  });

  test("content with changes of tests, documents and private packages", LIMIT, async () => {
    const result = await gateOn("changesets", {
      "packages/topo/src/planted.test.ts": "export {};\n",
      "packages/topo/README.md": "# Topo\n",
      "dev/quickstart/src/main.ts": (text) => `${text}// changed\n`,
    });
    expect(result).toMatchObject({ ok: true });
  });

  test("content with a release, which uses the changesets up", LIMIT, async () => {
    const release = (text: string): string =>
      text.replace(/"version": "[^"]+"/, '"version": "9.0.0"');
    const library = { "packages/topo/package.json": release };
    // The program has the library in it, so that its users get nothing of that without a release of it.
    expect(await gateOn("changesets", library)).toMatchObject({ ok: false });
    const both = { ...library, "apps/multipooler/package.json": release };
    expect(await gateOn("changesets", both)).toMatchObject({ ok: true });
  });

  test("content on main itself", LIMIT, async () => {
    tree.git("checkout", "--quiet", "main");
    try {
      expect(await gateOn("changesets", {})).toMatchObject({ ok: true });
    } finally {
      tree.git("checkout", "--quiet", "work");
    }
  });

  test("compares with origin/main in a clone that has no other main", LIMIT, async () => {
    tree.git("update-ref", "refs/remotes/origin/main", "main");
    tree.git("branch", "--move", "main", "elsewhere");
    try {
      expect(await gateOn("changesets", change)).toMatchObject({ ok: false });
      const named = { ...change, ...changeset('"@multipooler/topo": patch\n') };
      expect(await gateOn("changesets", named)).toMatchObject({ ok: true });
    } finally {
      tree.git("branch", "--move", "elsewhere", "main");
      tree.git("update-ref", "-d", "refs/remotes/origin/main");
    }
  });

  test("says that it compared nothing in a clone without main", LIMIT, async () => {
    tree.git("branch", "--move", "main", "elsewhere");
    try {
      const { ok, output } = await gateOn("changesets", change);
      expect(ok).toBe(true);
      expect(output).toContain("nothing compared");
    } finally {
      tree.git("branch", "--move", "elsewhere", "main");
    }
  });
});

function callOfHalf(text: string): string {
  return `${text}import { usedHere } from "./half.ts";\nusedHere();\n`;
}

function withFields(manifest: string, fields: Readonly<Record<string, unknown>>): string {
  const json: unknown = JSON.parse(manifest);
  return JSON.stringify(Object.assign({}, json, fields), null, 2);
}
