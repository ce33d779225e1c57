import { BodyReader } from "./body-reader.ts";
import { protocolViolation } from "./error.ts";

/** One column of a result, as RowDescription tells it. */
export interface Field {
  readonly name: string;
  readonly tableOid: number;
  readonly tableAttributeNumber: number;
  readonly dataTypeOid: number;
  /** Bytes, or negative for a type of variable width. */
  readonly dataTypeSize: number;
  readonly typeModifier: number;
  /** 0 text, 1 binary. */
  readonly format: number;
}

/** A zero-terminated name of no character, then 18 bytes of numbers. */
const MIN_FIELD_BYTES = 19;

/** Reads the body of a RowDescription. */
export function parseRowDescription(body: Buffer): Field[] {
  const reader = new BodyReader({ body, message: "RowDescription" });
  const count = reader.int16();
  // Checked before anything is allocated for the fields that it promises.
  if (count < 0 || count * MIN_FIELD_BYTES > reader.remaining) {
    throw protocolViolation(`RowDescription announces ${count} fields that it does not hold`);
  }
  const fields = Array.from({ length: count }, () => parseField(reader));
  reader.end();
  return fields;
}

function parseField(reader: BodyReader): Field {
  return {
    name: reader.string(),
    tableOid: reader.uint32(),
    tableAttributeNumber: reader.int16(),
    dataTypeOid: reader.uint32(),
    dataTypeSize: reader.int16(),
    typeModifier: reader.int32(),
    format: reader.int16(),
  };
}
