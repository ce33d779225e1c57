import type { Row } from "@multipooler/proto/query";
import { GrpcServicesError, GrpcServicesErrorCode } from "../errors/error.ts";

/** 'D', the type byte of PostgreSQL's DataRow message. */
const DATA_ROW = 0x44;
/** Type byte and length, which come before the body. */
const HEADER_BYTES = 5;

/**
 * Decodes a run of whole DataRow messages, one at a time, into rows as the query service sends
 * them.
 *
 * @param columns how many each row must have; `undefined`: the result was not described.
 * @throws MALFORMED_ROWS, while it is iterated, when the bytes are anything else.
 * @see https://www.postgresql.org/docs/17/protocol-message-formats.html#PROTOCOL-MESSAGE-FORMATS-DATAROW
 */
export function* decodeDataRows(
  block: Uint8Array,
  columns: number | undefined,
): Generator<Row, void, void> {
  const reader = new DataRowReader(block, columns);
  for (let row = reader.next(); row !== undefined; row = reader.next()) {
    yield row;
  }
}

/** The size of the DataRow message that `row` was decoded from. */
export function dataRowBytes(row: Row): number {
  return HEADER_BYTES + 2 + 4 * row.lengths.length + row.values.byteLength;
}

class DataRowReader {
  readonly #block: Uint8Array;
  readonly #view: DataView;
  readonly #columns: number | undefined;
  /** The values of all rows, without the lengths between them: one allocation a block. */
  readonly #values: Uint8Array;
  #valuesEnd = 0;
  #at = 0;

  constructor(block: Uint8Array, columns: number | undefined) {
    this.#block = block;
    this.#view = new DataView(block.buffer, block.byteOffset, block.byteLength);
    this.#columns = columns;
    this.#values = new Uint8Array(block.byteLength);
  }

  next(): Row | undefined {
    if (this.#at === this.#block.byteLength) {
      return undefined;
    }
    const end = this.#enterMessage();
    const columns = this.#view.getUint16(this.#at);
    if (this.#columns !== undefined && columns !== this.#columns) {
      throw malformed(`a row has ${columns} columns, the result has ${this.#columns}`);
    }
    this.#at += 2;
    const valuesStart = this.#valuesEnd;
    const lengths: bigint[] = [];
    for (let column = 0; column < columns; column += 1) {
      lengths.push(this.#value(end));
    }
    if (this.#at !== end) {
      throw malformed("a row is longer than its columns");
    }
    return { lengths, values: this.#values.subarray(valuesStart, this.#valuesEnd) };
  }

  /** Reads the header of a message and returns where the message ends. */
  #enterMessage(): number {
    const left = this.#block.byteLength - this.#at;
    if (left < HEADER_BYTES + 2) {
      throw malformed("a row is cut off in its header");
    }
    if (this.#block[this.#at] !== DATA_ROW) {
      throw malformed("a message is not a DataRow");
    }
    const length = this.#view.getInt32(this.#at + 1);
    if (length < 6 || length + 1 > left) {
      throw malformed(`a row claims a length of ${length}`);
    }
    const end = this.#at + 1 + length;
    this.#at += HEADER_BYTES;
    return end;
  }

  /** Reads one column, copies its value, and returns its length; -1n for NULL. */
  #value(end: number): bigint {
    if (end - this.#at < 4) {
      throw malformed("a row is shorter than its columns");
    }
    const length = this.#view.getInt32(this.#at);
    this.#at += 4;
    if (length === -1) {
      return -1n;
    }
    if (length < 0 || length > end - this.#at) {
      throw malformed(`a column claims a length of ${length}`);
    }
    this.#values.set(this.#block.subarray(this.#at, this.#at + length), this.#valuesEnd);
    this.#at += length;
    this.#valuesEnd += length;
    return BigInt(length);
  }
}

function malformed(what: string): GrpcServicesError {
  return new GrpcServicesError(GrpcServicesErrorCode.MalformedRows, `malformed rows: ${what}`);
}
