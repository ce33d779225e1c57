import type { ResultEvent } from "@multipooler/query-service";
import type { Row } from "@multipooler/proto/query";
import { decodeDataRows } from "./data-row.ts";
import { GrpcServicesError, GrpcServicesErrorCode } from "../errors/error.ts";

/** The "rows" event of a controller. */
export type RowsEvent = Extract<ResultEvent, { type: "rows" }>;

/** Decodes the rows of a result, and puts together those that arrive in pieces. */
export class RowDecoder {
  readonly #maxRowBytes: number;
  #pieces: Uint8Array[] = [];
  #pieceBytes = 0;

  /** @param maxRowBytes the largest DataRow message that is put together. */
  constructor(maxRowBytes: number) {
    this.#maxRowBytes = maxRowBytes;
  }

  /**
   * The rows that `event` completes, decoded while they are iterated.
   *
   * @throws MESSAGE_TOO_LARGE for a row above the limit; MALFORMED_ROWS, while it is iterated, for
   * bytes that are no rows.
   */
  decode(event: RowsEvent, columns: number | undefined): Iterable<Row> {
    if (!event.inProgress && this.#pieces.length === 0) {
      return decodeDataRows(event.bytes, columns);
    }
    this.#collect(event.bytes);
    if (event.inProgress) {
      return [];
    }
    const row = Buffer.concat(this.#pieces, this.#pieceBytes);
    this.#pieces = [];
    this.#pieceBytes = 0;
    return decodeDataRows(row, columns);
  }

  #collect(piece: Uint8Array): void {
    this.#pieces.push(piece);
    this.#pieceBytes += piece.byteLength;
    if (this.#pieceBytes <= this.#maxRowBytes) {
      return;
    }
    this.#pieces = [];
    throw new GrpcServicesError(
      GrpcServicesErrorCode.MessageTooLarge,
      `a row is larger than the ${this.#maxRowBytes} bytes that one message may have; ` +
        "ask for passthrough rows, which arrive in pieces",
    );
  }
}
