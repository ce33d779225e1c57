import { HEADER_BYTES } from "./protocol.ts";

/** Of Parse: two names and a count beside text and types. */
const PARSE_FIXED_BYTES = HEADER_BYTES + 1 + 1 + 2;
/** Of Bind: two names and three counts. */
const BIND_FIXED_BYTES = HEADER_BYTES + 1 + 1 + 2 + 2 + 2;
/** Of Describe of the unnamed portal: the kind and the name. */
export const DESCRIBE_BYTES: number = HEADER_BYTES + 1 + 1;
/** Of Execute of the unnamed portal: the name and the limit. */
export const EXECUTE_BYTES: number = HEADER_BYTES + 1 + 4;
export const SYNC_BYTES: number = HEADER_BYTES;

/** The variable parts of a Bind message. */
export interface BindContent {
  readonly parameters: readonly (Uint8Array | null)[];
  readonly parameterFormats: readonly number[];
  readonly resultFormats: readonly number[];
}

/** The size of a Parse message without a name. `sqlBytes`: the text in UTF-8. */
export function parseBytes(sqlBytes: number, parameterTypes: readonly number[]): number {
  return PARSE_FIXED_BYTES + sqlBytes + 4 * parameterTypes.length;
}

/** Writes what {@link parseBytes} measures. Returns its end, as all of these do. */
export function writeParse(
  target: Buffer,
  start: number,
  sql: string,
  parameterTypes: readonly number[],
): number {
  let at = target.writeUInt8(0, start + HEADER_BYTES);
  at += target.write(sql, at);
  at = target.writeUInt8(0, at);
  at = target.writeUInt16BE(parameterTypes.length, at);
  for (const oid of parameterTypes) {
    at = target.writeUInt32BE(oid, at);
  }
  return writeHeader(target, start, at, "P");
}

/** The size of a Bind message without names. */
export function bindBytes(content: BindContent): number {
  const { parameters, parameterFormats, resultFormats } = content;
  let bytes = BIND_FIXED_BYTES + 2 * (parameterFormats.length + resultFormats.length);
  for (const parameter of parameters) {
    bytes += 4 + (parameter?.length ?? 0);
  }
  return bytes;
}

export function writeBind(target: Buffer, start: number, content: BindContent): number {
  const { parameters, parameterFormats, resultFormats } = content;
  let at = target.writeUInt16BE(0, start + HEADER_BYTES);
  at = writeFormats(target, at, parameterFormats);
  at = target.writeUInt16BE(parameters.length, at);
  for (const parameter of parameters) {
    at = target.writeInt32BE(parameter?.length ?? -1, at);
    if (parameter !== null) {
      target.set(parameter, at);
      at += parameter.length;
    }
  }
  at = writeFormats(target, at, resultFormats);
  return writeHeader(target, start, at, "B");
}

export function writeDescribe(target: Buffer, start: number): number {
  const at = target.write("P\0", start + HEADER_BYTES, "latin1") + start + HEADER_BYTES;
  return writeHeader(target, start, at, "D");
}

export function writeExecute(target: Buffer, start: number, maxRows: number): number {
  const at = target.writeInt32BE(maxRows, target.writeUInt8(0, start + HEADER_BYTES));
  return writeHeader(target, start, at, "E");
}

export function writeSync(target: Buffer, start: number): number {
  return writeHeader(target, start, start + HEADER_BYTES, "S");
}

function writeFormats(target: Buffer, start: number, formats: readonly number[]): number {
  let at = target.writeUInt16BE(formats.length, start);
  for (const format of formats) {
    at = target.writeInt16BE(format, at);
  }
  return at;
}

function writeHeader(target: Buffer, start: number, end: number, type: string): number {
  target.write(type, start, "latin1");
  target.writeInt32BE(end - start - 1, start + 1);
  return end;
}
