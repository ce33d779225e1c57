import type { Binding } from "@multipooler/query-service";

/** So many parameters are shown at most. */
const MAX_SHOWN = 50;

/**
 * The values of parameters as people read them: texts cut to `maxLength` characters, binary ones in
 * PostgreSQL's notation for bytes, `null` for NULL.
 */
export function shownParameters(
  { parameters, parameterFormats }: Pick<Binding, "parameters" | "parameterFormats">,
  maxLength: number,
): readonly (string | null)[] {
  const shown = parameters.slice(0, MAX_SHOWN).map((value, index) => {
    const format = parameterFormats.length === 1 ? parameterFormats[0] : parameterFormats[index];
    return value === null ? null : shownValue(value, format === 1, maxLength);
  });
  const left = parameters.length - shown.length;
  return left === 0 ? shown : [...shown, `… ${left} more`];
}

function shownValue(value: Uint8Array, isBinary: boolean, maxLength: number): string {
  // A character has at most four bytes; no more than needed is decoded.
  const bytes = Buffer.from(value.buffer, value.byteOffset, Math.min(value.length, 4 * maxLength));
  const text = isBinary ? `\\x${bytes.toString("hex")}` : bytes.toString("utf8");
  const isCut = text.length > maxLength || bytes.length < value.length;
  return isCut ? `${text.slice(0, maxLength)}…` : text;
}
