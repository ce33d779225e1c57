import { malformed } from "./error.ts";

/**
 * What the source sends in one CopyData message:
 *
 * | part     | letter | is                                                    |
 * | -------- | ------ | ----------------------------------------------------- |
 * | archive  | n      | the next bytes are a tar archive of this name         |
 * | manifest | m      | the next bytes are the manifest                       |
 * | data     | d      | bytes of what began last                              |
 */
export type ArchivePart =
  | { readonly type: "archive"; readonly name: string }
  | { readonly type: "manifest" }
  | { readonly type: "data"; readonly bytes: Buffer };

const HEADER_BYTES = 5;
const COPY_DATA = 0x64;
/** PostgreSQL sends 32 KiB at once. */
const MAX_MESSAGE_BYTES = 16_777_216;

/** Takes CopyData messages apart, wherever the bytes are cut. */
export class ArchiveParts {
  #rest: Buffer = Buffer.alloc(0);

  /** The parts that `bytes` complete. @throws MALFORMED */
  *read(bytes: Uint8Array): Generator<ArchivePart, void> {
    const chunk = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const input = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    let at = 0;
    while (input.length - at >= HEADER_BYTES) {
      const length = input.readInt32BE(at + 1);
      if (input[at] !== COPY_DATA || length < 5 || length > MAX_MESSAGE_BYTES) {
        throw malformed("a message of the archives has a wrong header");
      }
      const end = at + 1 + length;
      if (end > input.length) {
        break;
      }
      const part = partOf(input.subarray(at + HEADER_BYTES, end));
      if (part !== undefined) {
        yield part;
      }
      at = end;
    }
    this.#rest = input.subarray(at);
  }
}

function partOf(content: Buffer): ArchivePart | undefined {
  switch (String.fromCharCode(content[0] ?? 0)) {
    case "n":
      return { type: "archive", name: nameIn(content.subarray(1)) };
    case "m":
      return { type: "manifest" };
    case "d":
      return { type: "data", bytes: content.subarray(1) };
    case "p":
      return undefined; // How far it is.
    default:
      throw malformed("a message of the archives is of an unknown kind");
  }
}

function nameIn(content: Buffer): string {
  const end = content.indexOf(0);
  if (end < 0) {
    throw malformed("the name of an archive has no end");
  }
  return content.toString("utf8", 0, end);
}
