/** Versions of the protocol that a client can ask for. */
export const Protocol = { V3_0: 0x0003_0000, V3_2: 0x0003_0002 } as const;
export type Protocol = (typeof Protocol)[keyof typeof Protocol];

const CANCEL_REQUEST = 80_877_102;

/** A message of a client of PostgreSQL's protocol. */
export function message(type: string, ...parts: readonly (string | Buffer)[]): Buffer {
  const body = Buffer.concat(parts.map((part) => Buffer.from(part)));
  const bytes = Buffer.alloc(5 + body.length);
  bytes.write(type);
  bytes.writeInt32BE(body.length + 4, 1);
  bytes.set(body, 5);
  return bytes;
}

function int16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeInt16BE(value);
  return bytes;
}

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
}

export function query(sql: string): Buffer {
  return message("Q", `${sql}\0`);
}

export function parse(sql: string, name = ""): Buffer {
  return message("P", `${name}\0${sql}\0`, int16(0));
}

/** Values are text. */
export function bind(
  values: readonly string[] = [],
  names: { portal?: string; statement?: string } = {},
): Buffer {
  const parts = values.flatMap((value) => [int32(Buffer.byteLength(value)), value]);
  const { portal = "", statement = "" } = names;
  return message(
    "B",
    `${portal}\0${statement}\0`,
    int16(0),
    int16(values.length),
    ...parts,
    int16(0),
  );
}

export function describe(what: "S" | "P", name = ""): Buffer {
  return message("D", `${what}${name}\0`);
}

export function close(what: "S" | "P", name = ""): Buffer {
  return message("C", `${what}${name}\0`);
}

export function execute(portal = "", maxRows = 0): Buffer {
  return message("E", `${portal}\0`, int32(maxRows));
}

export function copyData(data: string): Buffer {
  return message("d", data);
}

export function copyFail(reason: string): Buffer {
  return message("f", `${reason}\0`);
}

export const copyDone: Buffer = message("c");
export const sync: Buffer = message("S");
export const flush: Buffer = message("H");
export const terminate: Buffer = message("X");

/** Parse, Bind, Execute and Sync of an unnamed statement. */
export function extended(sql: string, values: readonly string[] = []): Buffer {
  return Buffer.concat([parse(sql), bind(values), execute(), sync]);
}

/** The first message of a client. */
export function startup(
  parameters: Readonly<Record<string, string>>,
  protocol: Protocol = Protocol.V3_0,
): Buffer {
  const words = Object.entries(parameters).flat();
  const body = Buffer.from(`${[...words, ""].join("\0")}\0`);
  return Buffer.concat([int32(body.length + 8), int32(protocol), body]);
}

/** The only message of a connection that cancels what another one runs. @param key of BackendKeyData */
export function cancelRequest(key: Buffer): Buffer {
  return Buffer.concat([int32(key.length + 8), int32(CANCEL_REQUEST), key]);
}

/** The call of a function by its OID. Values are text. */
export function functionCall(oid: number, values: readonly string[]): Buffer {
  const parts = values.flatMap((value) => [int32(Buffer.byteLength(value)), value]);
  return message("F", int32(oid), int16(0), int16(values.length), ...parts, int16(0));
}

/** A message of a type that no client sends. */
export function unknownMessage(): Buffer {
  return message("?", "");
}
