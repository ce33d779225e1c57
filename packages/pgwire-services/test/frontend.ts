/** Messages of a client, for tests. */
export const SSL_REQUEST: Buffer = packet(80_877_103);
export const GSSENC_REQUEST: Buffer = packet(80_877_104);
export const V30 = 0x0003_0000;
export const V32 = 0x0003_0002;

/** A message without a type: length, code, content. */
export function packet(code: number, content: Uint8Array = Buffer.alloc(0)): Buffer {
  const head = Buffer.alloc(8);
  head.writeInt32BE(8 + content.length, 0);
  head.writeUInt32BE(code, 4);
  return Buffer.concat([head, content]);
}

export function startup(
  parameters: Readonly<Record<string, string>> = { user: "alice" },
  version: number = V30,
): Buffer {
  const text = Object.entries(parameters).map(([name, value]) => `${name}\0${value}\0`);
  return packet(version, Buffer.from(`${text.join("")}\0`));
}

export function cancelRequest(processId: number, secretKey: Uint8Array): Buffer {
  const id = Buffer.alloc(4);
  id.writeInt32BE(processId);
  return packet(80_877_102, Buffer.concat([id, secretKey]));
}

export function message(type: string, content: string | Uint8Array = ""): Buffer {
  const body = Buffer.from(content);
  const head = Buffer.alloc(5);
  head.write(type, "latin1");
  head.writeInt32BE(body.length + 4, 1);
  return Buffer.concat([head, body]);
}

export function query(sql: string): Buffer {
  return message("Q", `${sql}\0`);
}

export function saslInitial(response: string, mechanism = "SCRAM-SHA-256"): Buffer {
  const length = Buffer.alloc(4);
  length.writeInt32BE(Buffer.byteLength(response));
  return message(
    "p",
    Buffer.concat([Buffer.from(`${mechanism}\0`), length, Buffer.from(response)]),
  );
}
