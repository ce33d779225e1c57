import { dottedName } from "./syntax.ts";
import type { SyntaxNode } from "./syntax.ts";

/** One place in a source that names another module. */
export type ModuleRequest =
  | { readonly form: "named" | "star-export"; readonly specifier: string }
  /** An `import()` whose argument is no literal. */
  | { readonly form: "computed" };

/** The types of the nodes that {@link moduleRequest} knows. */
export const REQUEST_TYPES = [
  "CallExpression",
  "ExportAllDeclaration",
  "ExportNamedDeclaration",
  "ImportDeclaration",
  "ImportExpression",
  "NewExpression",
  "TSExternalModuleReference",
  "TSImportType",
  "TSModuleDeclaration",
] as const satisfies readonly SyntaxNode["type"][];

/** Functions that take a module specifier as their first argument. */
const LOADERS = new Set([
  "require",
  "require.resolve",
  "import.meta.resolve",
  "vi.mock",
  "vi.doMock",
  "vi.importActual",
  "vi.importMock",
]);

/**
 * The module that a node names: static and dynamic imports, re-exports, `require`,
 * `import x = require()`, `import("x").T`, `declare module "x"`, vitest's mocks, and modules that are
 * reached with `new URL(path, import.meta.url)`.
 */
export function moduleRequest(node: SyntaxNode): ModuleRequest | undefined {
  switch (node.type) {
    case "ImportDeclaration":
    case "TSImportType":
      return named(node.source.value);
    case "ExportNamedDeclaration":
      return named(node.source?.value);
    case "ExportAllDeclaration":
      return node.exported === null
        ? { form: "star-export", specifier: node.source.value }
        : named(node.source.value);
    case "ImportExpression":
      return named(literalText(node.source)) ?? { form: "computed" };
    case "TSExternalModuleReference":
      return named(node.expression.value);
    case "TSModuleDeclaration":
      return node.id.type === "Literal" ? named(node.id.value) : undefined;
    case "CallExpression":
      return LOADERS.has(dottedName(node.callee))
        ? named(literalText(node.arguments[0]))
        : undefined;
    case "NewExpression":
      return dottedName(node.callee) === "URL" ? moduleUrl(node.arguments) : undefined;
    default:
      return undefined;
  }
}

function named(specifier: string | undefined): ModuleRequest | undefined {
  return specifier === undefined ? undefined : { form: "named", specifier };
}

/** `new URL(path, import.meta.url)`, if it is a module (a worker, say) and no data. */
function moduleUrl([path, from]: readonly SyntaxNode[]): ModuleRequest | undefined {
  const text = literalText(path);
  if (from === undefined || dottedName(from) !== "import.meta.url" || text === undefined) {
    return undefined;
  }
  if (!/\.[cm]?[jt]s$/.test(text)) {
    return undefined;
  }
  return named(text.startsWith(".") ? text : `./${text}`);
}

function literalText(node: SyntaxNode | undefined): string | undefined {
  if (node?.type === "Literal" && typeof node.value === "string") {
    return node.value;
  }
  if (node?.type === "TemplateLiteral" && node.expressions.length === 0) {
    return node.quasis[0]?.value.cooked ?? undefined;
  }
  return undefined;
}
