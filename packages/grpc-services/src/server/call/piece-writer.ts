import type { ServerHttp2Stream } from "node:http2";
import { returnMemory } from "@multipooler/query-service";

/** A stream of HTTP/2, as far as it is written to. */
export type PieceStream = Pick<ServerHttp2Stream, "cork" | "uncork" | "write">;

interface Part {
  readonly bytes: Uint8Array;
  /** What nobody needs when this part has left. */
  readonly owned: Uint8Array | undefined;
  /** Called when this part has left. */
  readonly onSent: (() => void) | undefined;
}

interface WriteOptions {
  /** Whether the parts are the writer's, which returns their memory then. */
  readonly isOwned: boolean;
  readonly onSent: () => void;
}

/** HTTP/2's own window: what leaves at once to a client that has not widened it. */
const PIECE_BYTES = 65_536;

/**
 * Writes to a stream of HTTP/2 in pieces, each when the one before has left, so that it shows how
 * much of a long message its client took: of what is written together Node only says when all of it
 * has left.
 */
export class PieceWriter {
  readonly #stream: PieceStream;
  readonly #waiting: Part[] = [];
  #isWriting = false;
  #sentBytes = 0;
  #onAllWritten: (() => void) | undefined;

  constructor(stream: PieceStream) {
    this.#stream = stream;
  }

  /** What has left. */
  get sentBytes(): number {
    return this.#sentBytes;
  }

  /** Calls `onSent` once all of the parts have left; not always when the stream ends before that. */
  write(parts: readonly Uint8Array[], { isOwned, onSent }: WriteOptions): void {
    const last = parts.length - 1;
    parts.forEach((bytes, index) => {
      const owned = isOwned ? bytes : undefined;
      this.#waiting.push({ bytes, owned, onSent: index === last ? onSent : undefined });
    });
    if (!this.#isWriting) {
      this.#writePiece();
    }
  }

  /** Calls `then` once everything was handed to the stream; now, if it was. */
  afterAll(then: () => void): void {
    if (this.#waiting.length > 0) {
      this.#onAllWritten = then;
    } else {
      then();
    }
  }

  #writePiece(): void {
    const piece = this.#takePiece();
    const bytes = piece.reduce((sum, part) => sum + part.bytes.byteLength, 0);
    const last = piece.length - 1;
    const onLeft = (error?: Error | null): void => {
      if (error === undefined || error === null) {
        this.#onLeft(piece, bytes);
      }
    };
    this.#isWriting = true;
    this.#stream.cork();
    piece.forEach((part, index) => {
      this.#stream.write(part.bytes, index === last ? onLeft : undefined);
    });
    this.#stream.uncork();
  }

  /** The next parts, as far as they are to leave together. */
  #takePiece(): Part[] {
    const piece: Part[] = [];
    let room = PIECE_BYTES;
    while (room > 0) {
      const part = this.#waiting.shift();
      if (part === undefined) {
        break;
      }
      const { bytes } = part;
      if (bytes.byteLength > room) {
        piece.push({ bytes: bytes.subarray(0, room), owned: undefined, onSent: undefined });
        this.#waiting.unshift({ ...part, bytes: bytes.subarray(room) });
        break;
      }
      piece.push(part);
      room -= bytes.byteLength;
    }
    return piece;
  }

  #onLeft(piece: readonly Part[], bytes: number): void {
    this.#sentBytes += bytes;
    this.#isWriting = false;
    if (this.#waiting.length > 0) {
      this.#writePiece();
    }
    if (this.#waiting.length === 0) {
      this.#onAllWritten?.();
      this.#onAllWritten = undefined;
    }
    for (const { owned, onSent } of piece) {
      if (owned !== undefined) {
        returnMemory(owned);
      }
      onSent?.();
    }
  }
}
