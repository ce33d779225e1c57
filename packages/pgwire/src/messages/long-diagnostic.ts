import { BackendMessage } from "./protocol.ts";

/**
 * What is kept of an error or a notice, header included: 8 MiB. A statement can make their texts as
 * long as it likes, and neither its session nor this process should end over one.
 */
export const MAX_DIAGNOSTIC_BYTES = 8_388_608;

/** Whether a message is an ErrorResponse or a NoticeResponse. */
export function isDiagnostic(code: number): boolean {
  return code === BackendMessage.ErrorResponse || code === BackendMessage.NoticeResponse;
}

/** How much of a message of `size` bytes is kept. */
export function keptBytes(code: number, size: number): number {
  return isDiagnostic(code) ? Math.min(size, MAX_DIAGNOSTIC_BYTES) : size;
}

/**
 * The beginning of a diagnostic as a message of its own: ends its last field and the list of
 * fields, and sets the length.
 */
export function endCutDiagnostic(beginning: Buffer): Buffer {
  const endsBehindField = beginning.at(-1) === 0;
  const message = Buffer.concat([beginning, Buffer.alloc(endsBehindField ? 1 : 2)]);
  message.writeInt32BE(message.length - 1, 1);
  return message;
}
