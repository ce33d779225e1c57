import type { Field } from "@multipooler/query-service";

/** The DataRow message of PostgreSQL with these values; `null` is NULL. */
export function dataRow(...values: readonly (Uint8Array | string | null)[]): Buffer {
  const columns = values.map((value) => {
    if (value === null) {
      return int32(-1);
    }
    const bytes = Buffer.from(value);
    return Buffer.concat([int32(bytes.byteLength), bytes]);
  });
  const count = Buffer.alloc(2);
  count.writeUInt16BE(values.length);
  const body = Buffer.concat([count, ...columns]);
  return Buffer.concat([Buffer.from("D"), int32(body.byteLength + 4), body]);
}

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
}

/** Text columns with these names. */
export function textFields(...names: readonly string[]): Field[] {
  return names.map((name) => ({
    name,
    tableOid: 0,
    tableAttributeNumber: 0,
    dataTypeOid: 25,
    dataTypeSize: -1,
    typeModifier: -1,
    format: 0,
  }));
}
