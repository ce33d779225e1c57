import { checkChangesets } from "./changesets.ts";
import { command } from "./command.ts";
import { checkDocuments } from "./documents.ts";
import { allOf } from "./gate.ts";
import type { Gate } from "./gate.ts";
import { checkPackaging } from "./packaging.ts";
import { checkTypes } from "./types.ts";

const protoScript = (script: string) => (root: string) =>
  command("node", ["--run", script], { cwd: `${root}/packages/proto`, tools: root });

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
    run: (root) => command("oxlint", ["--type-aware", "--deny-warnings"], { cwd: root }),
  },
  {
    name: "types",
    proves: "every source and test compiles",
    run: checkTypes,
  },
  {
    name: "boundaries",
    proves: "packages import only what the architecture allows",
    run: (root) => command("node", ["dev/boundaries/src/main.ts", root], { cwd: root }),
  },
  {
    name: "unused",
    proves: "no file, export or dependency is unused, and none is used by tests alone",
    run: async (root) => {
      const knip = (...args: string[]) =>
        command("knip", ["--no-progress", "--tsConfig", "tsconfig.build.json", ...args], {
          cwd: root,
        });
      return allOf([await knip(), await knip("--production")]);
    },
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
    name: "packaging",
    proves: "every public package can be published and imported as ESM",
    run: checkPackaging,
  },
  {
    name: "changesets",
    proves: "every changed public package has a changeset",
    run: checkChangesets,
  },
  {
    name: "documents",
    proves: "links, commands and snippets in the documents hold",
    run: checkDocuments,
  },
];
