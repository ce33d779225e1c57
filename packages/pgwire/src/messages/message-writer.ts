import { CANCEL_REQUEST_CODE, HEADER_BYTES, PROTOCOL_VERSION } from "./protocol.ts";

const LENGTH_BYTES = 4;

/** StartupMessage. No name, value or key may hold a NUL character. */
export function encodeStartup(parameters: Iterable<readonly [string, string]>): Buffer {
  let text = "";
  for (const [name, value] of parameters) {
    text += `${name}\0${value}\0`;
  }
  const version = Buffer.alloc(LENGTH_BYTES);
  version.writeInt32BE(PROTOCOL_VERSION);
  return withLength([version, Buffer.from(`${text}\0`)]);
}

/** CancelRequest. It is sent alone, on a connection of its own. */
export function encodeCancelRequest(processId: number, secretKey: Buffer): Buffer {
  const head = Buffer.alloc(8);
  head.writeInt32BE(CANCEL_REQUEST_CODE, 0);
  head.writeInt32BE(processId, 4);
  return withLength([head, secretKey]);
}

/** SASLInitialResponse. */
export function encodeSaslInitialResponse(mechanism: string, response: Buffer): Buffer {
  const responseLength = Buffer.alloc(LENGTH_BYTES);
  responseLength.writeInt32BE(response.length);
  return encodeMessage("p", [Buffer.from(`${mechanism}\0`), responseLength, response]);
}

/** SASLResponse. */
export function encodeSaslResponse(response: Buffer): Buffer {
  return encodeMessage("p", [response]);
}

export function encodeSync(): Buffer {
  return encodeMessage("S", []);
}

export function encodeTerminate(): Buffer {
  return encodeMessage("X", []);
}

/** The header of a CopyData message with so much content. */
export function encodeCopyDataHeader(contentBytes: number): Buffer {
  const header = Buffer.allocUnsafe(HEADER_BYTES);
  header.write("d");
  header.writeInt32BE(LENGTH_BYTES + contentBytes, 1);
  return header;
}

export function encodeCopyDone(): Buffer {
  return encodeMessage("c", []);
}

export function encodeCopyFail(reason: string): Buffer {
  return encodeMessage("f", [Buffer.from(`${reason}\0`)]);
}

/** The size of a Query message. */
export function queryBytes(sql: string): number {
  return HEADER_BYTES + Buffer.byteLength(sql) + 1;
}

/** Writes a Query message into `target`, where it takes {@link queryBytes}. Returns its end. */
export function writeQuery(target: Buffer, start: number, sql: string): number {
  const textStart = start + HEADER_BYTES;
  const textEnd = textStart + target.write(sql, textStart);
  target.write("Q", start);
  target.writeInt32BE(textEnd - start, start + 1);
  return target.writeUInt8(0, textEnd);
}

export function encodeQuery(sql: string): Buffer {
  return encodeMessage("Q", [Buffer.from(`${sql}\0`)]);
}

/** A message of this type. */
export function encodeMessage(type: string, parts: readonly Buffer[]): Buffer {
  return Buffer.concat([Buffer.from(type), withLength(parts)]);
}

function withLength(parts: readonly Buffer[]): Buffer {
  const length = Buffer.alloc(LENGTH_BYTES);
  const message = Buffer.concat([length, ...parts]);
  message.writeInt32BE(message.length);
  return message;
}
