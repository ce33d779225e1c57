import type { Row } from "@multipooler/proto/query";
import { dataRowBytes } from "./data-row.ts";
import type { RowDecoder, RowsEvent } from "./row-decoder.ts";

/** The rows of one message: structured, or a block of DataRow messages in one or more parts. */
export interface RowBatch {
  readonly rows: Row[];
  readonly block: readonly Uint8Array[];
  /** The DataRow messages that the block completes. */
  readonly rowCount: number;
  /** Whether the block ends inside a DataRow message. */
  readonly inProgress: boolean;
}

/** Gathers rows until they fill a message. */
export interface RowBatcher {
  /** Takes the rows of one event and hands each batch that is full to `emit`, in order. */
  add(event: RowsEvent, columns: number | undefined, emit: (batch: RowBatch) => void): void;
  /** Hands out what is pending; an empty batch if nothing is. */
  take(): RowBatch;
}

/**
 * Keeps rows as the blocks that the controller handed out. A batch holds at most `maxBytes`,
 * whole blocks only; a row that arrives in pieces shares its batches with nothing else.
 */
export class PassthroughBatcher implements RowBatcher {
  readonly #maxBytes: number;
  #block: Uint8Array[] = [];
  #bytes = 0;
  #rowCount = 0;
  /** What is pending are pieces of a row that is not complete. */
  #insideRow = false;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  add(event: RowsEvent, _columns: number | undefined, emit: (batch: RowBatch) => void): void {
    const { bytes, rowCount, inProgress } = event;
    const beginsRow = inProgress && !this.#insideRow;
    const endsRow = !inProgress && this.#insideRow;
    const fits = this.#bytes + bytes.byteLength <= this.#maxBytes;
    if (this.#bytes > 0 && (beginsRow || !fits)) {
      emit(this.take());
    }
    this.#insideRow = inProgress;
    this.#block.push(bytes);
    this.#bytes += bytes.byteLength;
    this.#rowCount += rowCount;
    if (endsRow || this.#bytes >= this.#maxBytes) {
      emit(this.take());
    }
  }

  take(): RowBatch {
    const batch: RowBatch = {
      rows: [],
      block: this.#block,
      rowCount: this.#rowCount,
      inProgress: this.#insideRow,
    };
    this.#block = [];
    this.#bytes = 0;
    this.#rowCount = 0;
    return batch;
  }
}

/** Decoded rows take many times the memory of their bytes when they are short. */
const MAX_STRUCTURED_ROWS = 8192;

/** Decodes rows. A batch is full once the DataRow messages of its rows have `maxBytes`. */
export class StructuredBatcher implements RowBatcher {
  readonly #maxBytes: number;
  readonly #decoder: RowDecoder;
  #rows: Row[] = [];
  #bytes = 0;

  constructor(maxBytes: number, decoder: RowDecoder) {
    this.#maxBytes = maxBytes;
    this.#decoder = decoder;
  }

  add(event: RowsEvent, columns: number | undefined, emit: (batch: RowBatch) => void): void {
    for (const row of this.#decoder.decode(event, columns)) {
      const bytes = dataRowBytes(row);
      // A large row goes alone, so that no message is larger than the larger of row and batch.
      if (this.#bytes > 0 && this.#bytes + bytes > this.#maxBytes) {
        emit(this.take());
      }
      this.#rows.push(row);
      this.#bytes += bytes;
      const isFull = this.#bytes >= this.#maxBytes || this.#rows.length === MAX_STRUCTURED_ROWS;
      if (isFull) {
        emit(this.take());
      }
    }
  }

  take(): RowBatch {
    const batch: RowBatch = { rows: this.#rows, block: [], rowCount: 0, inProgress: false };
    this.#rows = [];
    this.#bytes = 0;
    return batch;
  }
}
