import { dottedName } from "./syntax.ts";
import type { LintRule, SyntaxNode } from "./syntax.ts";

/** Verbs of what a person at a terminal reads. */
const PRINTING = /(?:^|\.)(?:log|print|write)$/;
const MESSAGE =
  "JSON for a terminal goes through jsonText or printableJson: JSON.stringify leaves U+007F to U+009F as they are";

/**
 * Nothing prints the text of `JSON.stringify` as it is, neither as a line of a template nor as the whole
 * argument of what prints. Inside a sentence it is a quotation, and whoever prints that escapes it.
 */
export const printedJson: LintRule = {
  create: (context) => {
    const report = (node: SyntaxNode): void => {
      if (isBareJson(node)) {
        context.report({ node, message: MESSAGE });
      }
    };
    return {
      TemplateLiteral: ({ expressions, quasis }) => {
        expressions
          .filter((_, index) => quasis[index + 1]?.value.raw.startsWith("\\n") === true)
          .forEach(report);
      },
      CallExpression: ({ callee, arguments: [text] }) => {
        if (text !== undefined && PRINTING.test(dottedName(callee))) {
          report(text);
        }
      },
    };
  },
};

function isBareJson(node: SyntaxNode): boolean {
  switch (node.type) {
    case "ConditionalExpression":
      return isBareJson(node.consequent) || isBareJson(node.alternate);
    case "CallExpression":
      return dottedName(node.callee) === "JSON.stringify";
    default:
      return false;
  }
}
