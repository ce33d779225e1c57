import { columnCount, messageOf } from "./message-body.ts";

const DATA_ROW = 0x44;

/**
 * A DataRow message, for a `rows` event; `null` for NULL.
 *
 * @throws {@link MalformedMessageError} for more than 32767 values.
 */
export function encodeRow(values: readonly (Uint8Array | null)[]): Uint8Array {
  const parts: Uint8Array[] = [columnCount(values.length)];
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
