import type { Field } from "../result.ts";
import {
  bodyOf,
  columnCount,
  MalformedMessageError,
  messageOf,
  zeroTerminated,
} from "./message-body.ts";
import type { MessageBody } from "./message-body.ts";

const ROW_DESCRIPTION = 0x54;
/** A zero-terminated name of no character, then 18 bytes of numbers. */
const MIN_FIELD_BYTES = 19;

/**
 * A RowDescription message, for a `fields` event.
 *
 * @throws {@link MalformedMessageError} for more than 32767 fields, or a NUL character in a name.
 */
export function encodeFields(fields: readonly Field[]): Uint8Array {
  const count = columnCount(fields.length);
  return messageOf(ROW_DESCRIPTION, Buffer.concat([count, ...fields.map(encodeField)]));
}

/**
 * The columns that a `fields` event announces.
 *
 * @throws {@link MalformedMessageError}
 */
export function decodeFields(bytes: Uint8Array): Field[] {
  const body = bodyOf(bytes, ROW_DESCRIPTION, "RowDescription");
  const count = body.int16();
  // Checked before anything is allocated for the fields that it promises.
  if (count < 0 || count * MIN_FIELD_BYTES > body.remaining) {
    throw new MalformedMessageError(
      `RowDescription announces ${count} fields that it does not hold`,
    );
  }
  const fields = Array.from({ length: count }, () => decodeField(body));
  body.end();
  return fields;
}

function encodeField(field: Field): Buffer {
  const numbers = Buffer.alloc(18);
  numbers.writeUInt32BE(field.tableOid, 0);
  numbers.writeInt16BE(field.tableAttributeNumber, 4);
  numbers.writeUInt32BE(field.dataTypeOid, 6);
  numbers.writeInt16BE(field.dataTypeSize, 10);
  numbers.writeInt32BE(field.typeModifier, 12);
  numbers.writeInt16BE(field.format, 16);
  return Buffer.concat([zeroTerminated(field.name), numbers]);
}

function decodeField(body: MessageBody): Field {
  return {
    name: body.string(),
    tableOid: body.uint32(),
    tableAttributeNumber: body.int16(),
    dataTypeOid: body.uint32(),
    dataTypeSize: body.int16(),
    typeModifier: body.int32(),
    format: body.int16(),
  };
}
