import { bodyOf, columnCount, MalformedMessageError, messageOf } from "./message-body.ts";

const COPY_IN_RESPONSE = 0x47;
const COPY_OUT_RESPONSE = 0x48;
const COPY_DATA = 0x64;

/** The formats of the data of a COPY: 0 text, 1 binary. */
export interface CopyFormats {
  /** Of the whole: text is lines, binary has a header of its own. */
  readonly format: number;
  readonly columnFormats: readonly number[];
}

/**
 * A CopyInResponse ("in": the data come from the caller) or CopyOutResponse message, for a `started`
 * event.
 *
 * @throws {@link MalformedMessageError} for more than 32767 columns.
 */
export function encodeCopyFormats(way: "in" | "out", formats: CopyFormats): Uint8Array {
  const columns = Buffer.alloc(2 * formats.columnFormats.length);
  for (const [index, format] of formats.columnFormats.entries()) {
    columns.writeInt16BE(format, 2 * index);
  }
  const count = columnCount(formats.columnFormats.length);
  const body = Buffer.concat([Buffer.from([formats.format]), count, columns]);
  return messageOf(way === "in" ? COPY_IN_RESPONSE : COPY_OUT_RESPONSE, body);
}

/**
 * What a `started` event says of the data.
 *
 * @throws {@link MalformedMessageError}
 */
export function decodeCopyFormats(bytes: Uint8Array): CopyFormats {
  const body =
    bytes[0] === COPY_IN_RESPONSE
      ? bodyOf(bytes, COPY_IN_RESPONSE, "CopyInResponse")
      : bodyOf(bytes, COPY_OUT_RESPONSE, "CopyOutResponse");
  const format = body.uint8();
  const count = body.int16();
  if (count < 0 || count * 2 > body.remaining) {
    throw new MalformedMessageError(
      `the start of a COPY announces ${count} columns that it does not hold`,
    );
  }
  const columnFormats = Array.from({ length: count }, () => body.int16());
  body.end();
  return { format, columnFormats };
}

/** A CopyData message, for a `data` event. */
export function encodeCopyData(content: Uint8Array): Uint8Array {
  return messageOf(COPY_DATA, Buffer.from(content.buffer, content.byteOffset, content.byteLength));
}
