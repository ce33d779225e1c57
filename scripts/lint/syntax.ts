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

/** `a.b.c` as text; empty for what is no plain path of names. */
export function dottedName(node: SyntaxNode): string {
  switch (node.type) {
    case "Identifier":
      return node.name;
    case "MetaProperty":
      return `${node.meta.name}.${node.property.name}`;
    case "MemberExpression": {
      const object = node.computed ? "" : dottedName(node.object);
      return object !== "" && node.property.type === "Identifier"
        ? `${object}.${node.property.name}`
        : "";
    }
    default:
      return "";
  }
}
