import type { Binding, PreparedText } from "@multipooler/query-service";
import { HEADER_BYTES } from "./protocol.ts";

/** Of Parse: the ends of two texts and a count beside name, text and types. */
const PARSE_FIXED_BYTES = HEADER_BYTES + 1 + 1 + 2;
/** Of Bind: the ends of two names and three counts. */
const BIND_FIXED_BYTES = HEADER_BYTES + 1 + 1 + 2 + 2 + 2;
/** Of Describe and Close: the kind and the end of the name. */
const TARGET_FIXED_BYTES = HEADER_BYTES + 1 + 1;
/** Of Execute: the end of the name and the limit. */
const EXECUTE_FIXED_BYTES = HEADER_BYTES + 1 + 4;
export const SYNC_BYTES: number = HEADER_BYTES;

export const NO_BINDING: Binding = { parameters: [], parameterFormats: [], resultFormats: [] };

/** What Describe and Close name: a statement or a portal. */
export type TargetKind = "S" | "P";

/** The size of a Parse message. All sizes of texts are those in UTF-8. */
export function parseBytes(
  nameBytes: number,
  sqlBytes: number,
  parameterTypes: readonly number[],
): number {
  return PARSE_FIXED_BYTES + nameBytes + sqlBytes + 4 * parameterTypes.length;
}

/** Writes what {@link parseBytes} measures. Returns its end, as all of these do. */
export function writeParse(
  target: Buffer,
  start: number,
  { name, sql, parameterTypes }: PreparedText & { readonly name: string },
): number {
  let at = writeText(target, start + HEADER_BYTES, name);
  at = writeText(target, at, sql);
  at = target.writeUInt16BE(parameterTypes.length, at);
  for (const oid of parameterTypes) {
    at = target.writeUInt32BE(oid, at);
  }
  return writeHeader(target, start, at, "P");
}

/** The size of a Bind message. `namesBytes`: of the portal and the statement. */
export function bindBytes(namesBytes: number, binding: Binding): number {
  const { parameters, parameterFormats, resultFormats } = binding;
  let bytes = BIND_FIXED_BYTES + namesBytes + 2 * (parameterFormats.length + resultFormats.length);
  for (const parameter of parameters) {
    bytes += 4 + (parameter?.length ?? 0);
  }
  return bytes;
}

export function writeBind(
  target: Buffer,
  start: number,
  {
    portal,
    name,
    binding,
  }: { readonly portal: string; readonly name: string; readonly binding: Binding },
): number {
  const { parameters, parameterFormats, resultFormats } = binding;
  let at = writeText(target, start + HEADER_BYTES, portal);
  at = writeText(target, at, name);
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

/** The size of a statement without parameters: Parse, Bind and Execute without names. */
export function statementBytes(sql: string): number {
  return parseBytes(0, Buffer.byteLength(sql), []) + bindBytes(0, NO_BINDING) + executeBytes(0);
}

/** Writes what {@link statementBytes} measures. Its Sync is left to what follows. */
export function writeStatement(target: Buffer, start: number, sql: string): number {
  let at = writeParse(target, start, { name: "", sql, parameterTypes: [] });
  at = writeBind(target, at, { portal: "", name: "", binding: NO_BINDING });
  return writeExecute(target, at, "", 0);
}

/** The same as {@link writeStatement}, by itself. */
export function encodeStatement(sql: string): Buffer {
  const statement = Buffer.allocUnsafe(statementBytes(sql));
  writeStatement(statement, 0, sql);
  return statement;
}

/** The size of a Describe or a Close. */
export function targetBytes(nameBytes: number): number {
  return TARGET_FIXED_BYTES + nameBytes;
}

export function writeDescribe(
  target: Buffer,
  start: number,
  kind: TargetKind,
  name: string,
): number {
  return writeHeader(target, start, writeTarget(target, start, kind, name), "D");
}

export function writeClose(target: Buffer, start: number, kind: TargetKind, name: string): number {
  return writeHeader(target, start, writeTarget(target, start, kind, name), "C");
}

/** The size of an Execute. */
export function executeBytes(portalBytes: number): number {
  return EXECUTE_FIXED_BYTES + portalBytes;
}

export function writeExecute(
  target: Buffer,
  start: number,
  portal: string,
  maxRows: number,
): number {
  const at = target.writeInt32BE(maxRows, writeText(target, start + HEADER_BYTES, portal));
  return writeHeader(target, start, at, "E");
}

export function writeSync(target: Buffer, start: number): number {
  return writeHeader(target, start, start + HEADER_BYTES, "S");
}

function writeTarget(target: Buffer, start: number, kind: TargetKind, name: string): number {
  const at = start + HEADER_BYTES + target.write(kind, start + HEADER_BYTES, "latin1");
  return writeText(target, at, name);
}

function writeText(target: Buffer, start: number, text: string): number {
  // Most names are empty.
  const end = text === "" ? start : start + target.write(text, start);
  return target.writeUInt8(0, end);
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
