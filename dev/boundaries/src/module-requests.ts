import { parseSync, Visitor } from "oxc-parser";
import type { Argument, CallExpression, Expression, NewExpression } from "oxc-parser";

/** One place in a source file that names another module. */
export interface ModuleRequest {
  /** How the other module is named. `computed` is an `import()` whose argument is no literal. */
  readonly form: "import" | "type" | "star-export" | "computed";
  /** The literal specifier; empty for `computed`. */
  readonly specifier: string;
  /** 1-based. */
  readonly line: number;
}

/** The requests of one file, or why it cannot be read. */
export type ParsedRequests =
  | { readonly ok: true; readonly requests: readonly ModuleRequest[] }
  | { readonly ok: false; readonly line: number; readonly reason: string };

/** Functions that take a module specifier as their first argument. */
const LOADERS: ReadonlySet<string> = new Set([
  "require",
  "require.resolve",
  "import.meta.resolve",
  "vi.mock",
  "vi.doMock",
  "vi.importActual",
  "vi.importMock",
]);

/**
 * Finds every module that a TypeScript or JavaScript source names: static and dynamic imports,
 * re-exports, `require`, `import x = require()`, `import("x").T`, `declare module "x"`,
 * vitest's mocks, and modules reached with `new URL(path, import.meta.url)`.
 */
export function moduleRequests(fileName: string, source: string): ParsedRequests {
  const { program, errors } = parseSync(fileName, source);
  const lineAt = (offset: number): number => source.slice(0, offset).split("\n").length;
  const [error] = errors;
  if (error !== undefined) {
    return { ok: false, line: lineAt(error.labels[0]?.start ?? 0), reason: error.message };
  }
  const requests: ModuleRequest[] = [];
  const add = (form: ModuleRequest["form"], specifier: string, offset: number): void => {
    requests.push({ form, specifier, line: lineAt(offset) });
  };
  new Visitor({
    ImportDeclaration: (node) => add(formOf(node.importKind), node.source.value, node.start),
    ExportNamedDeclaration: (node) => {
      if (node.source !== null) {
        add(formOf(node.exportKind), node.source.value, node.start);
      }
    },
    ExportAllDeclaration: (node) =>
      add(node.exported === null ? "star-export" : "import", node.source.value, node.start),
    ImportExpression: (node) => {
      const specifier = literalText(node.source);
      add(specifier === undefined ? "computed" : "import", specifier ?? "", node.start);
    },
    TSImportType: (node) => add("type", node.source.value, node.start),
    TSExternalModuleReference: (node) => add("import", node.expression.value, node.start),
    TSModuleDeclaration: (node) => {
      if (node.id.type === "Literal") {
        add("type", node.id.value, node.start);
      }
    },
    CallExpression: (node) => {
      const specifier = loadedModule(node);
      if (specifier !== undefined) {
        add("import", specifier, node.start);
      }
    },
    NewExpression: (node) => {
      const path = moduleUrl(node);
      if (path !== undefined) {
        add("import", path, node.start);
      }
    },
  }).visit(program);
  return { ok: true, requests: requests.toSorted((a, b) => a.line - b.line) };
}

function formOf(kind: "type" | "value" | null | undefined): "import" | "type" {
  return kind === "type" ? "type" : "import";
}

function loadedModule({ callee, arguments: args }: CallExpression): string | undefined {
  const name = dottedName(callee);
  return name !== undefined && LOADERS.has(name) ? literalText(args[0]) : undefined;
}

/** The path in `new URL(path, import.meta.url)` if it is a module (a worker, say) and no data. */
function moduleUrl({ callee, arguments: args }: NewExpression): string | undefined {
  const [path, from] = args;
  if (dottedName(callee) !== "URL" || from === undefined) {
    return undefined;
  }
  if (dottedName(from) !== "import.meta.url") {
    return undefined;
  }
  const text = literalText(path);
  if (text === undefined || !/\.[cm]?[jt]s$/.test(text)) {
    return undefined;
  }
  return text.startsWith(".") ? text : `./${text}`;
}

function dottedName(node: Expression | Argument): string | undefined {
  if (node.type === "Identifier") {
    return node.name;
  }
  if (node.type === "MetaProperty") {
    return `${node.meta.name}.${node.property.name}`;
  }
  if (node.type !== "MemberExpression" || node.property.type !== "Identifier" || node.computed) {
    return undefined;
  }
  const object = dottedName(node.object);
  return object === undefined ? undefined : `${object}.${node.property.name}`;
}

function literalText(node: Expression | Argument | undefined): string | undefined {
  if (node?.type === "Literal" && typeof node.value === "string") {
    return node.value;
  }
  if (node?.type === "TemplateLiteral" && node.expressions.length === 0) {
    return node.quasis[0]?.value.cooked ?? undefined;
  }
  return undefined;
}
