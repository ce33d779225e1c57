/** Messages as a server writes them, for peers and streams that tests make up. */

export function message(type: string, ...parts: readonly Buffer[]): Buffer {
  const body = Buffer.concat(parts);
  return Buffer.concat([header(type, body.length + 4), body]);
}

export function int16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeInt16BE(value);
  return bytes;
}

export function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
}

export function cstring(text: string): Buffer {
  return Buffer.from(`${text}\0`);
}

/** The header of a message, with any length: it should be that of the body, and four for itself. */
export function header(type: string, length: number): Buffer {
  return Buffer.concat([Buffer.from(type, "latin1"), int32(length)]);
}

export function dataRow(...values: readonly (string | Buffer | null)[]): Buffer {
  const columns = values.map((value) => {
    if (value === null) {
      return int32(-1);
    }
    const bytes = Buffer.from(value);
    return Buffer.concat([int32(bytes.length), bytes]);
  });
  return message("D", int16(values.length), ...columns);
}

export function rowDescription(...names: readonly string[]): Buffer {
  const fields = names.map((name) =>
    Buffer.concat([cstring(name), int32(0), int16(0), int32(25), int16(-1), int32(-1), int16(0)]),
  );
  return message("T", int16(names.length), ...fields);
}

export function commandComplete(tag: string): Buffer {
  return message("C", cstring(tag));
}

export function readyForQuery(status = "I"): Buffer {
  return message("Z", Buffer.from(status));
}

/** ErrorResponse (`E`) or NoticeResponse (`N`) from fields by their letter. */
export function diagnostic(type: "E" | "N", fields: Readonly<Record<string, string>>): Buffer {
  const parts = Object.entries(fields).map(([letter, value]) => cstring(letter + value));
  return message(type, ...parts, Buffer.from([0]));
}

export function errorResponse(severity: string, code: string, text: string): Buffer {
  return diagnostic("E", { S: severity, V: severity, C: code, M: text });
}

export function parameterStatus(name: string, value: string): Buffer {
  return message("S", cstring(name), cstring(value));
}

export function authentication(type: number, ...rest: readonly Buffer[]): Buffer {
  return message("R", int32(type), ...rest);
}

export function backendKeyData(processId: number, secretKey: number): Buffer {
  return message("K", int32(processId), int32(secretKey));
}

/** What a server that trusts its clients says at start-up. */
export function greeting(): Buffer {
  return Buffer.concat([
    authentication(0),
    parameterStatus("server_version", "17.0"),
    backendKeyData(4711, 815),
    readyForQuery(),
  ]);
}
