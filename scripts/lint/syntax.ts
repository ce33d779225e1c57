import type { RuleTester } from "oxlint/plugins-dev";

/** A lint rule, as oxlint takes it. oxlint names its types only through its rule tester. */
export type LintRule = Exclude<
  Parameters<RuleTester["run"]>[1],
  { readonly createOnce: (...args: never) => unknown }
>;

/** A node of the syntax tree (ESTree with TypeScript), discriminated by `type`. */
export type SyntaxNode = Parameters<NonNullable<ReturnType<LintRule["create"]>[string]>>[0];

/** The nodes of one type. */
export type NodeOf<Type extends SyntaxNode["type"]> = Extract<SyntaxNode, { readonly type: Type }>;
