import { constantCase } from "./constant-case.ts";
import type { LintRule } from "./syntax.ts";

/** The rules of this repository that oxlint does not have, for `jsPlugins` of .oxlintrc.json. */
const plugin: {
  readonly meta: { readonly name: string };
  readonly rules: Readonly<Record<string, LintRule>>;
} = {
  meta: { name: "multipooler" },
  rules: { "constant-case": constantCase },
};

export default plugin;
