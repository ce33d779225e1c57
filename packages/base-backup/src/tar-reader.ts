import { malformed } from "./error.ts";

/** A member of a tar archive. `path` is relative and stays inside. */
export type TarEntry =
  | { readonly type: "file"; readonly path: string; readonly mode: number; readonly size: number }
  | { readonly type: "directory"; readonly path: string; readonly mode: number }
  | { readonly type: "link"; readonly path: string; readonly target: string };

/** Takes the members of an archive, each to its end before the next. */
export interface TarSink {
  begin(entry: TarEntry): Promise<void>;
  data(bytes: Buffer): Promise<void>;
  end(): Promise<void>;
}

const BLOCK_BYTES = 512;

/**
 * | state   | the next bytes are                          |
 * | ------- | ------------------------------------------- |
 * | header  | of a header, `block` of which is there      |
 * | content | of a file                                   |
 * | padding | nothing, up to the next block               |
 * | over    | nothing: an empty block has ended the archive |
 */
type State =
  | { readonly type: "header" }
  | { readonly type: "content"; left: number; readonly padding: number }
  | { readonly type: "padding"; left: number }
  | { readonly type: "over" };

/** Reads a tar archive (ustar, as PostgreSQL writes it) as its bytes come. */
export class TarReader {
  readonly #sink: TarSink;
  #block: Buffer = Buffer.alloc(0);
  #state: State = { type: "header" };

  constructor(sink: TarSink) {
    this.#sink = sink;
  }

  /** Rejects with MALFORMED, or with what the sink rejects with. */
  async write(bytes: Buffer): Promise<void> {
    let rest = bytes;
    while (rest.length > 0 && this.#state.type !== "over") {
      rest = await this.#take(rest);
    }
  }

  /** @throws MALFORMED for an archive that ends inside a member */
  finish(): void {
    const { type } = this.#state;
    const isComplete = type === "over" || (type === "header" && this.#block.length === 0);
    if (!isComplete) {
      throw malformed("an archive ends inside a file");
    }
  }

  /** Returns what is left of `bytes`. */
  async #take(bytes: Buffer): Promise<Buffer> {
    const state = this.#state;
    switch (state.type) {
      case "over":
        return bytes.subarray(bytes.length);
      case "header":
        return await this.#header(bytes);
      case "padding": {
        const taken = Math.min(state.left, bytes.length);
        state.left -= taken;
        if (state.left === 0) {
          this.#state = { type: "header" };
        }
        return bytes.subarray(taken);
      }
      case "content": {
        const taken = Math.min(state.left, bytes.length);
        await this.#sink.data(bytes.subarray(0, taken));
        state.left -= taken;
        if (state.left === 0) {
          await this.#endOfFile(state.padding);
        }
        return bytes.subarray(taken);
      }
    }
  }

  async #header(bytes: Buffer): Promise<Buffer> {
    const taken = BLOCK_BYTES - this.#block.length;
    this.#block = Buffer.concat([this.#block, bytes.subarray(0, taken)]);
    if (this.#block.length === BLOCK_BYTES) {
      const block = this.#block;
      this.#block = Buffer.alloc(0);
      await this.#begin(block);
    }
    return bytes.subarray(taken);
  }

  async #begin(block: Buffer): Promise<void> {
    const entry = parseHeader(block);
    if (entry === undefined) {
      this.#state = { type: "over" };
      return;
    }
    await this.#sink.begin(entry);
    const size = entry.type === "file" ? entry.size : 0;
    const padding = (BLOCK_BYTES - (size % BLOCK_BYTES)) % BLOCK_BYTES;
    if (size === 0) {
      await this.#endOfFile(0);
    } else {
      this.#state = { type: "content", left: size, padding };
    }
  }

  async #endOfFile(padding: number): Promise<void> {
    await this.#sink.end();
    this.#state = padding > 0 ? { type: "padding", left: padding } : { type: "header" };
  }
}

/** `undefined` for the empty block at the end. @throws MALFORMED */
function parseHeader(block: Buffer): TarEntry | undefined {
  if (block.every((byte) => byte === 0)) {
    return undefined;
  }
  checkSum(block);
  const prefix = text(block, 345, 155);
  const path = safePath(prefix === "" ? text(block, 0, 100) : `${prefix}/${text(block, 0, 100)}`);
  const mode = octal(block, 100, 8) & 0o777;
  switch (String.fromCharCode(block[156] ?? 0)) {
    case "0":
    case "\0":
      return { type: "file", path, mode, size: sizeOf(block) };
    case "5":
      return { type: "directory", path, mode };
    case "2":
      return { type: "link", path, target: text(block, 157, 100) };
    default:
      throw malformed(`${path} is of a kind that a data directory does not have`);
  }
}

/** No member may lead out of the directory that it is unpacked into. */
function safePath(name: string): string {
  const path = name.replace(/\/+$/, "").replace(/^(\.\/)+/, "");
  const segments = path.split("/");
  if (segments.some((segment) => segment === "" || segment === "." || segment === "..")) {
    throw malformed(`an archive has a member called ${JSON.stringify(name)}`);
  }
  return path;
}

/** Up to 8 GiB in octal digits, above it in binary. */
function sizeOf(block: Buffer): number {
  if (((block[124] ?? 0) & 0x80) === 0) {
    return octal(block, 124, 12);
  }
  const bytes = Number(block.readBigUInt64BE(128));
  if (!Number.isSafeInteger(bytes)) {
    throw malformed("a file is larger than any file");
  }
  return bytes;
}

function checkSum(block: Buffer): void {
  let sum = 0;
  for (const [index, byte] of block.entries()) {
    sum += index >= 148 && index < 156 ? 0x20 : byte;
  }
  if (sum !== octal(block, 148, 8)) {
    throw malformed("the header of a file has a wrong checksum");
  }
}

function octal(block: Buffer, start: number, length: number): number {
  const digits = text(block, start, length).trim();
  if (!/^[0-7]+$/.test(digits)) {
    throw malformed("the header of a file has no number where one has to be");
  }
  return Number.parseInt(digits, 8);
}

function text(block: Buffer, start: number, length: number): string {
  const field = block.subarray(start, start + length);
  const end = field.indexOf(0);
  return field.toString("utf8", 0, end < 0 ? length : end);
}
