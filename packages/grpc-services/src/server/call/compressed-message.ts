import { promisify } from "node:util";
import { gunzip, inflate } from "node:zlib";
import { GrpcServicesError, GrpcServicesErrorCode } from "../../errors/error.ts";

const unpackers: ReadonlyMap<string, typeof gunzip.__promisify__> = new Map([
  ["gzip", promisify(gunzip)],
  ["deflate", promisify(inflate)],
]);

/** The values of grpc-encoding that {@link decompress} knows, as grpc-accept-encoding lists them. */
export const ACCEPTED_ENCODINGS = "identity,deflate,gzip";

/**
 * The bytes of a message that says it is compressed.
 *
 * Rejects with UNIMPLEMENTED for an encoding that is not known, MALFORMED_REQUEST for other bytes, and
 * REQUEST_TOO_LARGE.
 */
export async function decompress(
  bytes: Uint8Array,
  { encoding, maxBytes }: { readonly encoding: string; readonly maxBytes: number },
): Promise<Uint8Array> {
  const unpack = unpackers.get(encoding);
  if (unpack === undefined) {
    throw new GrpcServicesError(
      GrpcServicesErrorCode.Unimplemented,
      `messages compressed with ${JSON.stringify(encoding)} are not understood, only gzip and deflate`,
    );
  }
  try {
    return await unpack(bytes, { maxOutputLength: maxBytes });
  } catch (cause) {
    throw isTooLarge(cause)
      ? new GrpcServicesError(
          GrpcServicesErrorCode.RequestTooLarge,
          `a request has more than the ${maxBytes} bytes that a message may have, decompressed`,
          { cause },
        )
      : new GrpcServicesError(
          GrpcServicesErrorCode.MalformedRequest,
          "a message cannot be decompressed",
          { cause },
        );
  }
}

function isTooLarge(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "ERR_BUFFER_TOO_LARGE";
}
