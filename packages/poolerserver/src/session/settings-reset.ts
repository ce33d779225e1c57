import { SqlScanner, toSqlText } from "@multipooler/pgwire";
import type { SqlTokenKind } from "@multipooler/pgwire";

/**
 * What a text takes back that is nothing but one DISCARD ALL, RESET ALL or RESET of a setting, whose
 * name is in lower case.
 */
export type SettingsReset =
  | { readonly type: "discardAll" }
  | { readonly type: "resetAll" }
  | { readonly type: "reset"; readonly name: string };

/** RESET and a qualified name of two parts. */
const MAX_TOKENS = 4;

/** Looks at each character of the text a bounded number of times. */
export function findSettingsReset(text: string): SettingsReset | undefined {
  // With another way to read a backslash the text may be another one.
  const scanner = new SqlScanner(toSqlText(text), { backslashEscapes: false });
  const tokens: string[] = [];
  let hasEnded = false;
  while (scanner.next()) {
    const value = wordOf(scanner.kind, scanner.value());
    if (value === ";") {
      hasEnded = true;
    } else if (value === undefined || hasEnded || tokens.length === MAX_TOKENS) {
      return undefined;
    } else {
      tokens.push(value);
    }
  }
  return resetOf(tokens);
}

function resetOf([lead, ...names]: readonly string[]): SettingsReset | undefined {
  // RESET TIME ZONE is RESET timezone.
  const name = names.join("");
  if (lead === "discard" && name === "all") {
    return { type: "discardAll" };
  }
  if (lead !== "reset" || name === "") {
    return undefined;
  }
  return name === "all" ? { type: "resetAll" } : { type: "reset", name };
}

/** A name, a dot or a semicolon. PostgreSQL ignores the case of a setting's name. */
function wordOf(kind: SqlTokenKind, value: string | undefined): string | undefined {
  switch (kind) {
    case "word":
    case "identifier":
      return value?.toLowerCase();
    case "symbol":
      return value === "." || value === ";" ? value : undefined;
    case "string":
    case "number":
    case "parameter":
    case "operator":
      return undefined;
  }
}
