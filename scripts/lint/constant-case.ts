import { dottedName } from "./syntax.ts";
import type { LintRule, NodeOf, SyntaxNode } from "./syntax.ts";

const SCREAMING = /^[A-Z][A-Z\d]*(?:_[A-Z\d]+)*$/;
const PASCAL = /^[A-Z][A-Za-z\d]*$/;

/** Values of the language that are written as identifiers. */
const VALUE_NAMES = new Set(["undefined", "NaN", "Infinity"]);

/** Classes whose instances are values when they are built from values. */
const VALUE_CLASSES = new Set(["Date", "Map", "RegExp", "Set", "URL", "Uint8Array"]);

/** Functions that only build a value from values. */
const VALUE_FUNCTIONS = new Set([
  "BigInt",
  "Buffer.from",
  "Date.UTC",
  "Number",
  "Object.entries",
  "Object.freeze",
  "Object.fromEntries",
  "Object.keys",
  "Object.values",
  "String",
]);

/**
 * A top-level `const` whose value is written out is SCREAMING_CASE: a literal, arithmetic on constants,
 * or a table of constants. What has behaviour (a function, a client, a schema) is no constant, and
 * neither is an empty collection, which something will fill. An object `as const` that stands for an
 * enum may be PascalCase.
 */
export const constantCase: LintRule = {
  create: (context) => ({
    Program: ({ body }) => {
      for (const { id, init } of body.flatMap(constants)) {
        if (id.type !== "Identifier" || SCREAMING.test(id.name) || !isConstant(init)) {
          continue;
        }
        if (isEmpty(init) || (PASCAL.test(id.name) && isEnum(init))) {
          continue;
        }
        const message = `the module constant "${id.name}" is not in SCREAMING_CASE`;
        context.report({ node: id, message });
      }
    },
  }),
};

function constants(statement: SyntaxNode): readonly NodeOf<"VariableDeclarator">[] {
  const node = statement.type === "ExportNamedDeclaration" ? statement.declaration : statement;
  return node?.type === "VariableDeclaration" && node.kind === "const" ? node.declarations : [];
}

function isEmpty(node: SyntaxNode | null): boolean {
  return (
    (node?.type === "ArrayExpression" && node.elements.length === 0) ||
    (node?.type === "ObjectExpression" && node.properties.length === 0)
  );
}

function isEnum(node: SyntaxNode | null): boolean {
  return (
    node?.type === "TSAsExpression" &&
    node.expression.type === "ObjectExpression" &&
    node.typeAnnotation.type === "TSTypeReference" &&
    node.typeAnnotation.typeName.type === "Identifier" &&
    node.typeAnnotation.typeName.name === "const"
  );
}

function isConstant(node: SyntaxNode | null): boolean {
  switch (node?.type) {
    case "Literal":
      return true;
    case "Identifier":
      return VALUE_NAMES.has(node.name) || SCREAMING.test(node.name);
    case "TemplateLiteral":
      return node.expressions.every(isConstant);
    case "UnaryExpression":
      return isConstant(node.argument);
    case "BinaryExpression":
    case "LogicalExpression":
      return isConstant(node.left) && isConstant(node.right);
    case "ArrayExpression":
      return node.elements.every(isConstant);
    case "ObjectExpression":
      return node.properties.every(isConstant);
    case "Property":
      return (!node.computed || isConstant(node.key)) && isConstant(node.value);
    case "SpreadElement":
    case "MemberExpression":
    case "NewExpression":
    case "CallExpression":
      return isBuilt(node);
    case "ParenthesizedExpression":
    case "TSAsExpression":
    case "TSSatisfiesExpression":
      return isConstant(node.expression);
    default:
      return false;
  }
}

function isBuilt(
  node: NodeOf<"CallExpression" | "MemberExpression" | "NewExpression" | "SpreadElement">,
): boolean {
  switch (node.type) {
    case "SpreadElement":
      return isConstant(node.argument);
    case "MemberExpression":
      return isMember(node);
    case "NewExpression":
      return VALUE_CLASSES.has(dottedName(node.callee)) && isFilled(node.arguments);
    case "CallExpression":
      return VALUE_FUNCTIONS.has(dottedName(node.callee))
        ? isFilled(node.arguments)
        : node.callee.type === "MemberExpression" &&
            isConstant(node.callee.object) &&
            node.arguments.every(isConstant);
  }
}

/** A part of a constant, or a name of an enum: `LIMITS.rows`, `Status.Open`, `Number.MAX_VALUE`. */
function isMember({ object, property, computed }: NodeOf<"MemberExpression">): boolean {
  if (isConstant(object)) {
    return !computed || isConstant(property);
  }
  const named = object.type === "Identifier" && PASCAL.test(object.name);
  return (
    named &&
    !computed &&
    property.type === "Identifier" &&
    PASCAL.test(property.name.replaceAll("_", ""))
  );
}

function isFilled(args: readonly SyntaxNode[]): boolean {
  return args.length > 0 && args.every(isConstant);
}
