import { RowDecoder } from "@multipooler/grpc-services/client";
import type { QueryResult, Row } from "@multipooler/proto/query";
import { resultPrinter } from "./result-format.ts";
import type { Cell, ResultFormat, ResultPrinter } from "./result-format.ts";

/** Types that a table sets flush right: int8, int2, int4, oid, float4, float8, money, numeric. */
const NUMERIC_OIDS = new Set([20, 21, 23, 26, 700, 701, 790, 1700]);

/** Rows that are decoded and printed together: enough to find the widths of a table's columns. */
const ROWS_AT_ONCE = 1000;
/** The largest row that is put together: what the text of one value may still become. */
const MAX_ROW_BYTES = 268_435_456;

/**
 * Turns the messages of a stream into text: any number of results, each in any number of parts.
 * Rows arrive as the bytes that PostgreSQL sent and are decoded a few at a time.
 */
export class ResultWriter {
  readonly #format: ResultFormat;
  readonly #decoder = new RowDecoder(MAX_ROW_BYTES);
  #current: ResultPrinter | undefined;
  #columns = 0;
  #rowCount = 0;

  constructor(format: ResultFormat) {
    this.#format = format;
  }

  /** What to print for the next message of the stream, in parts. */
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
    this.#current = resultPrinter(this.#format);
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
        block: result.passthroughBlock,
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

  /** Only a table tells what a statement without rows did; other formats are for programs. */
  #end(commandTag: string): string {
    const printer = this.#current;
    this.#current = undefined;
    if (printer === undefined) {
      return this.#format === "table" ? `${commandTag}\n` : "";
    }
    return `${printer.end(this.#rowCount)}${this.#format === "table" ? "\n" : ""}`;
  }
}

/** The values of a row lie end to end; a negative length is NULL. */
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
