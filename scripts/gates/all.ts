import { checkAudit } from "./audit.ts";
import { checkBillOfMaterials } from "./bill-of-materials.ts";
import { checkBoundaries } from "./boundaries.ts";
import { checkChangesets } from "./changesets.ts";
import { command } from "./command.ts";
import { checkDocuments } from "./documents.ts";
import type { Gate } from "./gate.ts";
import { checkPackaging } from "./packaging.ts";
import { checkSettingsReference } from "./settings-reference.ts";
import { checkTypes } from "./types.ts";

const protoScript = (script: string) => (root: string) =>
  command("node", ["--run", script], { cwd: `${root}/packages/proto`, tools: root });

const knip = (root: string, ...args: string[]) =>
  command(
    "knip",
    ["--no-progress", "--no-config-hints", "--tsConfig", "tsconfig.build.json", ...args],
    {
      cwd: root,
    },
  );

/** Every gate, the quick ones first. They need the packages to be installed and built. */
export const gates: readonly Gate[] = [
  {
    name: "format",
    proves: "every file is formatted",
    run: (root) => command("oxfmt", ["--check"], { cwd: root }),
  },
  {
    name: "lint",
    proves: "no lint rule is broken, those that need types included",
    run: (root) =>
      command("oxlint", ["--type-aware", "--deny-warnings", "--format", "unix"], { cwd: root }),
  },
  {
    name: "types",
    proves: "every source and test compiles",
    run: checkTypes,
  },
  {
    name: "boundaries",
    proves: "every package.json lists only what the architecture allows",
    run: checkBoundaries,
  },
  {
    name: "unused",
    proves: "no file, export or dependency is unused",
    run: (root) => knip(root),
  },
  {
    name: "unused-in-product",
    proves: "no product code or dependency is there for tests alone",
    run: (root) => knip(root, "--production"),
  },
  {
    name: "proto-lint",
    proves: "the wire contract is well-formed",
    run: protoScript("lint:proto"),
  },
  {
    name: "proto-generated",
    proves: "the generated code is the one of /proto",
    run: protoScript("generate:check"),
  },
  {
    name: "proto-compatible",
    proves: "the wire contract breaks nothing that main promises",
    run: protoScript("breaking:proto"),
  },
  {
    name: "settings",
    proves: "the page and the schema of the settings are those of the program",
    run: checkSettingsReference,
  },
  {
    name: "packaging",
    proves: "every public package can be published and imported as ESM",
    run: checkPackaging,
  },
  {
    name: "materials",
    proves: "what is shipped has licenses that allow it, and is pinned by its hash",
    run: checkBillOfMaterials,
  },
  {
    name: "audit",
    proves: "what is shipped has no grave fault that the registry knows, where it can be asked",
    run: checkAudit,
  },
  {
    name: "changesets",
    proves: "every changed public package has a changeset",
    run: checkChangesets,
  },
  {
    name: "documents",
    proves: "links, commands, snippets and names in the documents hold",
    run: checkDocuments,
  },
];
