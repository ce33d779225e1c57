import { BinaryReader } from "@bufbuild/protobuf/wire";

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const decodeExactly = (bytes: Uint8Array): string => decoder.decode(bytes);

/**
 * Reads a request, and throws where the bytes of a text are no UTF-8: the library would put a replacement
 * character in their place, and a statement would run that its client has not sent.
 */
export class RequestReader extends BinaryReader {
  /** The whole request. */
  readonly message: Uint8Array;

  constructor(message: Uint8Array) {
    super(message, decodeExactly);
    this.message = message;
  }
}
