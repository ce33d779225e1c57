import { HEADER_BYTES, sizeInHeader } from "@multipooler/pgwire";

/** Type bytes of the messages that a client sends once it is logged in. */
export const FrontendCode = {
  Bind: 0x42,
  Close: 0x43,
  Describe: 0x44,
  Execute: 0x45,
  FunctionCall: 0x46,
  Flush: 0x48,
  Parse: 0x50,
  Query: 0x51,
  Sync: 0x53,
  Terminate: 0x58,
  CopyData: 0x64,
  CopyDone: 0x63,
  CopyFail: 0x66,
} as const;

const CODES: ReadonlySet<number> = new Set(Object.values(FrontendCode));

/** Whether a client may send messages of this type. */
export function isFrontendCode(code: number): boolean {
  return CODES.has(code);
}

/** The length counts itself. */
const MIN_LENGTH = 4;

/** Ends a COPY whose client is gone. */
export const COPY_FAIL: Uint8Array = textMessage(FrontendCode.CopyFail, "the client is gone");

/** Why a COPY is ended in whose middle its client sends something else. */
export const COPY_INTERRUPTED = "the client has sent another message than CopyData";

/** Ends such a COPY. Where it has failed already, PostgreSQL passes over this. */
export const COPY_INTERRUPT: Buffer = textMessage(FrontendCode.CopyFail, COPY_INTERRUPTED);

/** Ends a group whose client is gone: with an error, so that nothing of it is committed. */
export const GROUP_FAIL: Uint8Array = Buffer.concat([
  textMessage(FrontendCode.Parse, "\0the client is gone\0\0"),
  Uint8Array.of(FrontendCode.Sync, 0, 0, 0, 4),
]);

/** Has the server send what it has answered so far. */
export const FLUSH: Buffer = Buffer.from([FrontendCode.Flush, 0, 0, 0, MIN_LENGTH]);

/** A Query message of a text without NUL characters. */
export function encodeQuery(sql: string): Buffer {
  return textMessage(FrontendCode.Query, sql);
}

/**
 * The size of the message that begins at `start`, header included; 0 if it is not whole or its
 * length cannot be.
 */
export function messageSize(bytes: Uint8Array, start: number): number {
  if (bytes.length - start < HEADER_BYTES) {
    return 0;
  }
  const size = sizeInHeader(bytes, start);
  return size < HEADER_BYTES || size > bytes.length - start ? 0 : size;
}

/** Whether a unit is of the extended protocol, whose end is a Sync. */
export function endsInSync(unit: Uint8Array): boolean {
  return unit[0] !== FrontendCode.Query && unit[0] !== FrontendCode.FunctionCall;
}

/** Where the zero-terminated text from `start` ends; `end` if no zero byte comes before that. */
export function textEnd(bytes: Uint8Array, start: number, end: number): number {
  const found = bytes.indexOf(0, start);
  return found === -1 || found > end ? end : found;
}

function textMessage(code: number, content: string): Buffer {
  const text = Buffer.from(`${content}\0`);
  const message = Buffer.alloc(HEADER_BYTES + text.length);
  message[0] = code;
  message.writeInt32BE(text.length + MIN_LENGTH, 1);
  message.set(text, HEADER_BYTES);
  return message;
}
