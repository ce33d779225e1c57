import type { PgDiagnostic } from "@multipooler/proto/query";

/** A diagnostic as psql words it, its SQLSTATE added to errors; ends with a line end. */
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
  // As psql by default: where a notice comes from matters to nobody who did not ask.
  if (isError && diagnostic.where !== "") {
    lines.push(`CONTEXT:  ${diagnostic.where}`);
  }
  if (diagnostic.position > 0) {
    lines.push(`POSITION:  ${diagnostic.position}`);
  }
  return `${lines.join("\n")}\n`;
}
