import { BodyReader } from "./body-reader.ts";

/**
 * An error or a notice as PostgreSQL words it, every field kept.
 * Absent fields are `undefined`; positions count characters from 1.
 *
 * @see https://www.postgresql.org/docs/17/protocol-error-fields.html
 */
export interface Diagnostic {
  readonly kind: "error" | "notice";
  /** As the server words it, in its message language; the untranslated form if it sends only that. */
  readonly severity: string;
  /** SQLSTATE, five characters. */
  readonly code: string;
  readonly message: string;
  readonly detail?: string | undefined;
  readonly hint?: string | undefined;
  readonly position?: number | undefined;
  readonly internalPosition?: number | undefined;
  readonly internalQuery?: string | undefined;
  readonly where?: string | undefined;
  readonly schemaName?: string | undefined;
  readonly tableName?: string | undefined;
  readonly columnName?: string | undefined;
  readonly dataTypeName?: string | undefined;
  readonly constraintName?: string | undefined;
  readonly file?: string | undefined;
  readonly line?: string | undefined;
  readonly routine?: string | undefined;
}

/** A diagnostic, and what this package has to know of it beyond what clients see. */
export interface ParsedDiagnostic {
  readonly diagnostic: Diagnostic;
  /** The session ends with it: FATAL or PANIC, whatever language the severity is worded in. */
  readonly fatal: boolean;
}

/** Reads the body of an ErrorResponse or a NoticeResponse. Unknown fields are passed over. */
export function parseDiagnostic(kind: Diagnostic["kind"], body: Buffer): ParsedDiagnostic {
  const fields = readFields(body);
  const plainSeverity = fields.get("V") ?? fields.get("S");
  const diagnostic: Diagnostic = {
    kind,
    severity: fields.get("S") ?? fields.get("V") ?? "",
    code: fields.get("C") ?? "",
    message: fields.get("M") ?? "",
    detail: fields.get("D"),
    hint: fields.get("H"),
    position: parsePosition(fields.get("P")),
    internalPosition: parsePosition(fields.get("p")),
    internalQuery: fields.get("q"),
    where: fields.get("W"),
    schemaName: fields.get("s"),
    tableName: fields.get("t"),
    columnName: fields.get("c"),
    dataTypeName: fields.get("d"),
    constraintName: fields.get("n"),
    file: fields.get("F"),
    line: fields.get("L"),
    routine: fields.get("R"),
  };
  return { diagnostic, fatal: plainSeverity === "FATAL" || plainSeverity === "PANIC" };
}

function readFields(body: Buffer): Map<string, string> {
  const reader = new BodyReader({ body, message: "a diagnostic" });
  const fields = new Map<string, string>();
  for (let type = reader.uint8(); type !== 0; type = reader.uint8()) {
    fields.set(String.fromCharCode(type), reader.string());
  }
  reader.end();
  return fields;
}

function parsePosition(text: string | undefined): number | undefined {
  if (text === undefined || !/^[0-9]{1,10}$/.test(text)) {
    return undefined;
  }
  const position = Number(text);
  return position <= 0x7fff_ffff ? position : undefined;
}
