import { messageOf } from "./message-body.ts";

const DATA_ROW = 0x44;

/** A DataRow message, for a `rows` event; `null` for NULL. */
export function encodeRow(values: readonly (Uint8Array | null)[]): Uint8Array {
  const count = Buffer.alloc(2);
  count.writeInt16BE(values.length);
  const parts: Uint8Array[] = [count];
  for (const value of values) {
    const length = Buffer.alloc(4);
    length.writeInt32BE(value?.length ?? -1);
    parts.push(length);
    if (value !== null) {
      parts.push(value);
    }
  }
  return messageOf(DATA_ROW, Buffer.concat(parts));
}
