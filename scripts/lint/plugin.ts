import { resolve } from "node:path";

import { readPackage, workspacePackages } from "../gates/workspace.ts";
import { boundariesIn } from "./boundaries.ts";
import { BOUNDARIES } from "./boundary-table.ts";
import { constantCase } from "./constant-case.ts";
import { printedJson } from "./printed-json.ts";
import type { LintRule } from "./syntax.ts";

const root = resolve(import.meta.dirname, "../..");

/** The rules of this repository that oxlint does not have, for `jsPlugins` of .oxlintrc.json. */
const plugin: {
  readonly meta: { readonly name: string };
  readonly rules: Readonly<Record<string, LintRule>>;
} = {
  meta: { name: "multipooler" },
  rules: {
    boundaries: boundariesIn({
      root,
      packages: [...workspacePackages(root), readPackage(root, ".")],
      table: BOUNDARIES,
    }),
    "constant-case": constantCase,
    "printed-json": printedJson,
  },
};

export default plugin;
