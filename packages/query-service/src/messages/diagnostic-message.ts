import type { Diagnostic } from "../diagnostic.ts";
import { bodyOf, MalformedMessageError, messageOf, zeroTerminated } from "./message-body.ts";
import type { MessageBody } from "./message-body.ts";

const ERROR_RESPONSE = 0x45;
const NOTICE_RESPONSE = 0x4e;
const END = Buffer.alloc(1);
/** PostgreSQL has 18 kinds of fields; a bound for a peer that is none. */
const MAX_FIELDS = 256;
const MAX_POSITION = 0x7fff_ffff;

/** An ErrorResponse or NoticeResponse message, by the kind of the diagnostic. */
export function encodeDiagnostic(diagnostic: Diagnostic): Uint8Array {
  const { severity, localizedSeverity, position, internalPosition } = diagnostic;
  const fields: readonly (readonly [string, string | undefined])[] = [
    ["S", localizedSeverity ?? severity],
    ["V", severity],
    ["C", diagnostic.code],
    ["M", diagnostic.message],
    ["D", diagnostic.detail],
    ["H", diagnostic.hint],
    ["P", position?.toString()],
    ["p", internalPosition?.toString()],
    ["q", diagnostic.internalQuery],
    ["W", diagnostic.where],
    ["s", diagnostic.schemaName],
    ["t", diagnostic.tableName],
    ["c", diagnostic.columnName],
    ["d", diagnostic.dataTypeName],
    ["n", diagnostic.constraintName],
    ["F", diagnostic.file],
    ["L", diagnostic.line],
    ["R", diagnostic.routine],
  ];
  const parts: Uint8Array[] = [];
  for (const [type, text] of fields) {
    if (text !== undefined) {
      parts.push(zeroTerminated(type + text));
    }
  }
  const code = diagnostic.kind === "error" ? ERROR_RESPONSE : NOTICE_RESPONSE;
  return messageOf(code, Buffer.concat([...parts, END]));
}

/**
 * What an ErrorResponse or a NoticeResponse says. Unknown fields are passed over; one without a
 * SQLSTATE or a severity, which PostgreSQL never sends, reads as XX000 and ERROR or NOTICE.
 *
 * @throws {@link MalformedMessageError}
 */
export function decodeDiagnostic(bytes: Uint8Array): Diagnostic {
  const kind = bytes[0] === NOTICE_RESPONSE ? "notice" : "error";
  const body =
    kind === "notice"
      ? bodyOf(bytes, NOTICE_RESPONSE, "NoticeResponse")
      : bodyOf(bytes, ERROR_RESPONSE, "ErrorResponse");
  const fields = readFields(body);
  const localized = fields.get("S");
  const severity = fields.get("V") ?? localized ?? kind.toUpperCase();
  return {
    kind,
    severity,
    localizedSeverity: localized === severity ? undefined : localized,
    code: fields.get("C") ?? "XX000",
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
}

function readFields(body: MessageBody): Map<string, string> {
  const fields = new Map<string, string>();
  let count = 0;
  for (let type = body.uint8(); type !== 0; type = body.uint8()) {
    count += 1;
    if (count > MAX_FIELDS) {
      throw new MalformedMessageError(`a diagnostic has more than ${MAX_FIELDS} fields`);
    }
    fields.set(String.fromCharCode(type), body.string());
  }
  body.end();
  return fields;
}

function parsePosition(text: string | undefined): number | undefined {
  if (text === undefined || !/^[0-9]{1,10}$/.test(text)) {
    return undefined;
  }
  const position = Number(text);
  return position <= MAX_POSITION ? position : undefined;
}
