import { encodeFields, encodeRow } from "@multipooler/query-service";
import type { Field } from "@multipooler/query-service";
import type { Columns, ColumnType, ResultTable, Value } from "./result-table.ts";

/** 0 text, 1 binary. */
export type Format = 0 | 1;

const TYPES: Readonly<Record<ColumnType, { readonly oid: number; readonly size: number }>> = {
  text: { oid: 25, size: -1 },
  int4: { oid: 23, size: 4 },
  int8: { oid: 20, size: 8 },
  numeric: { oid: 1700, size: -1 },
};
const NUMERIC_BASE = 10_000n;
const INT4_MAX = 0x7fff_ffff;

/** The format of a column, as Bind gives them: none is text, one is for all. */
function formatAt(formats: readonly Format[], index: number): Format {
  return (formats.length === 1 ? formats[0] : formats[index]) ?? 0;
}

/** A RowDescription message. */
export function encodeColumns(columns: Columns, formats: readonly Format[]): Uint8Array {
  return encodeFields(
    Object.entries(columns).map(([name, type], index): Field => {
      const { oid, size } = TYPES[type];
      return {
        name,
        tableOid: 0,
        tableAttributeNumber: 0,
        dataTypeOid: oid,
        dataTypeSize: size,
        typeModifier: -1,
        format: formatAt(formats, index),
      };
    }),
  );
}

/** A DataRow message. */
export function encodeValues(
  columns: Columns,
  row: ResultTable["rows"][number],
  formats: readonly Format[],
): Uint8Array {
  const types = Object.values(columns);
  return encodeRow(
    row.map((value, index) => encodeValue(value, types[index] ?? "text", formatAt(formats, index))),
  );
}

function encodeValue(value: Value, type: ColumnType, format: Format): Uint8Array | null {
  if (value === null) {
    return null;
  }
  return format === 0 || type === "text" || typeof value === "string"
    ? Buffer.from(String(value))
    : encodeNumber(value, type);
}

function encodeNumber(value: number, type: Exclude<ColumnType, "text">): Buffer {
  switch (type) {
    case "int4": {
      const bytes = Buffer.alloc(4);
      bytes.writeInt32BE(Math.min(value, INT4_MAX));
      return bytes;
    }
    case "int8": {
      const bytes = Buffer.alloc(8);
      bytes.writeBigInt64BE(BigInt(value));
      return bytes;
    }
    case "numeric":
      return encodeNumeric(BigInt(value));
  }
}

/** A whole number that is not negative, as `numeric_send` writes it: digits to the base 10000. */
function encodeNumeric(value: bigint): Buffer {
  const digits: number[] = [];
  for (let rest = value; rest > 0n; rest /= NUMERIC_BASE) {
    digits.unshift(Number(rest % NUMERIC_BASE));
  }
  const weight = Math.max(0, digits.length - 1);
  const significant = digits.slice(0, digits.findLastIndex((digit) => digit !== 0) + 1);
  const words = [significant.length, weight, 0, 0, ...significant];
  const bytes = Buffer.alloc(2 * words.length);
  for (const [index, word] of words.entries()) {
    bytes.writeUInt16BE(word, 2 * index);
  }
  return bytes;
}
