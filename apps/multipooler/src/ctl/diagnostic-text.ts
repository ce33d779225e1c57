import type { PgDiagnostic } from "@multipooler/proto/query";
import { printable } from "@multipooler/text-table";

/**
 * Formats a diagnostic as psql does, with the SQLSTATE of errors; ends with a line break. Its text may
 * hold data of others, so of its control characters only line breaks stay.
 */
export function diagnosticText(diagnostic: PgDiagnostic): string {
  const isError = diagnostic.messageType !== "N".charCodeAt(0);
  const lines = [
    `${diagnostic.severity}:  ${diagnostic.message}${isError ? ` (${diagnostic.code})` : ""}`,
  ];
  if (diagnostic.detail !== "") {
    lines.push(`DETAIL:  ${diagnostic.detail}`);
  }
  if (diagnostic.hint !== "") {
    lines.push(`HINT:  ${diagnostic.hint}`);
  }
  // psql does not print the context of a notice by default either.
  if (isError && diagnostic.where !== "") {
    lines.push(`CONTEXT:  ${diagnostic.where}`);
  }
  if (diagnostic.position > 0) {
    lines.push(`POSITION:  ${diagnostic.position}`);
  }
  const shown = lines.join("\n").split("\n").map(printable);
  return `${shown.join("\n")}\n`;
}
