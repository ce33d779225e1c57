import { SqlScanner } from "@multipooler/pgwire";

/** What stands for a constant. No text has a NUL. */
const STRING = "\u0000'";
const NUMBER = "\u00000";

/**
 * A text with its constants left out: the same for statements that an application puts together with
 * other values each time. `undefined` if it has a backslash, since where its constants end depends on a
 * setting then.
 */
export function shapeOf(text: string): string | undefined {
  if (text.includes("\\")) {
    return undefined;
  }
  const scanner = new SqlScanner(text, { backslashEscapes: false });
  let shape = "";
  let copiedTo = 0;
  while (scanner.next()) {
    const { kind } = scanner;
    if (kind === "string" || kind === "number") {
      shape += text.slice(copiedTo, scanner.start) + (kind === "string" ? STRING : NUMBER);
      copiedTo = scanner.end;
    }
  }
  return shape + text.slice(copiedTo);
}
