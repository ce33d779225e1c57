import { RowDecoder } from "@multipooler/grpc-services/client";
import type { QueryResult, Row } from "@multipooler/proto/query";
import { resultPrinter } from "./result-format.ts";
import type { Cell, ResultFormat, ResultPrinter } from "./result-format.ts";

/** OIDs of the types that a table aligns right: int8, int2, int4, oid, float4, float8, money, numeric. */
const NUMERIC_OIDS = new Set([20, 21, 23, 26, 700, 701, 790, 1700]);

/** Rows decoded and printed together: enough to find the column widths of a table. */
const ROWS_AT_ONCE = 1000;
/** The largest row that is assembled from pieces: the limit for the text of one value. */
const MAX_ROW_BYTES = 268_435_456;

/**
 * Formats the messages of a stream: any number of results, each in any number of parts. Rows arrive
 * as PostgreSQL's bytes and are decoded a few at a time.
 */
export class ResultWriter {
  readonly #format: ResultFormat;
  readonly #isTerminal: boolean;
  readonly #decoder = new RowDecoder(MAX_ROW_BYTES);
  #current: ResultPrinter | undefined;
  #columns = 0;
  #rowCount = 0;

  constructor(format: ResultFormat, { isTerminal }: { readonly isTerminal: boolean }) {
    this.#format = format;
    this.#isTerminal = isTerminal;
  }

  /** Yields the text for the next message of the stream, in parts. */
  *take(result: QueryResult): Generator<string, void, void> {
    if (result.hasFields && this.#current === undefined) {
      yield this.#begin(result);
    }
    if (result.passthroughBlock.length > 0) {
      yield* this.#rows(result);
    }
    if (result.commandTag !== "") {
      yield this.#end(result.commandTag);
    }
  }

  #begin({ fields }: QueryResult): string {
    this.#current = resultPrinter(this.#format, { isTerminal: this.#isTerminal });
    this.#columns = fields.length;
    this.#rowCount = 0;
    return this.#current.begin(
      fields.map(({ name, dataTypeOid }) => ({ name, numeric: NUMERIC_OIDS.has(dataTypeOid) })),
    );
  }

  *#rows(result: QueryResult): Generator<string, void, void> {
    const rows = this.#decoder.decode(
      {
        type: "rows",
        bytes: result.passthroughBlock,
        rowCount: result.passthroughRowCount,
        inProgress: result.passthroughRowInProgress,
      },
      this.#columns,
    );
    let batch: Cell[][] = [];
    for (const row of rows) {
      batch.push(cells(row));
      if (batch.length < ROWS_AT_ONCE) {
        continue;
      }
      yield this.#print(batch);
      batch = [];
    }
    if (batch.length > 0) {
      yield this.#print(batch);
    }
  }

  #print(rows: readonly Cell[][]): string {
    this.#rowCount += rows.length;
    return this.#current?.rows(rows) ?? "";
  }

  /** Only the table format prints the tag of a statement without rows; the others are for programs. */
  #end(commandTag: string): string {
    const printer = this.#current;
    this.#current = undefined;
    if (printer === undefined) {
      return this.#format === "table" ? `${commandTag}\n` : "";
    }
    return `${printer.end(this.#rowCount)}${this.#format === "table" ? "\n" : ""}`;
  }
}

/** Splits a row into its values; a negative length is NULL. */
function cells(row: Row): Cell[] {
  const values = Buffer.from(row.values.buffer, row.values.byteOffset, row.values.byteLength);
  let offset = 0;
  return row.lengths.map((length) => {
    if (length < 0n) {
      return null;
    }
    const start = offset;
    offset += Number(length);
    return values.toString("utf8", start, offset);
  });
}
