import { protocolViolation } from "../error.ts";
import { isDiagnostic } from "./long-diagnostic.ts";
import { BackendMessage, messageTypeName } from "./protocol.ts";

/** PostgreSQL builds no message of 1 GiB or more: the bound of what is never kept whole. */
const MAX_STREAMED_BYTES = 0x4000_0000;

/** The longest messages that a reader takes. */
export interface SizeLimits {
  readonly maxMessageBytes: number;
  /** Of rows, COPY data, errors and notices, which need not be kept whole. Default: 1 GiB. */
  readonly maxStreamedBytes?: number | undefined;
}

/** The size of a message, type byte included, as the header at `start` has it: that may be anything. */
export function sizeInHeader(bytes: Uint8Array, start: number): number {
  const length =
    ((bytes[start + 1] ?? 0) << 24) |
    ((bytes[start + 2] ?? 0) << 16) |
    ((bytes[start + 3] ?? 0) << 8) |
    (bytes[start + 4] ?? 0);
  return length + 1;
}

/**
 * The size of a whole message, type byte included, from the length in its header.
 *
 * @throws PROTOCOL_VIOLATION for a length that is not possible, or beyond the limit of its type.
 */
export function checkedSize(code: number, length: number, limits: SizeLimits): number {
  const isStreamed = code === BackendMessage.DataRow || code === BackendMessage.CopyData;
  const limit =
    isStreamed || isDiagnostic(code)
      ? (limits.maxStreamedBytes ?? MAX_STREAMED_BYTES)
      : limits.maxMessageBytes;
  if (length < 4 || length > limit) {
    throw protocolViolation(
      `message ${messageTypeName(code)} has a length of ${length}; at least 4 and at most ${limit} are allowed`,
    );
  }
  return length + 1;
}
