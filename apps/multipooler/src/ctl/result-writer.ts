import type { QueryResult, Row } from "@multipooler/proto/query";
import { resultPrinter } from "./result-format.ts";
import type { Cell, ResultFormat, ResultPrinter } from "./result-format.ts";

/** Types that a table sets flush right: int8, int2, int4, oid, float4, float8, money, numeric. */
const NUMERIC_OIDS = new Set([20, 21, 23, 26, 700, 701, 790, 1700]);

/** Turns the messages of a stream into text: any number of results, each in any number of parts. */
export class ResultWriter {
  readonly #format: ResultFormat;
  #current: ResultPrinter | undefined;
  #rowCount = 0;

  constructor(format: ResultFormat) {
    this.#format = format;
  }

  /** What to print for the next message of the stream. */
  take(result: QueryResult): string {
    let text = "";
    if (result.hasFields && this.#current === undefined) {
      this.#current = resultPrinter(this.#format);
      this.#rowCount = 0;
      text += this.#current.begin(
        result.fields.map(({ name, dataTypeOid }) => ({
          name,
          numeric: NUMERIC_OIDS.has(dataTypeOid),
        })),
      );
    }
    if (result.rows.length > 0) {
      this.#rowCount += result.rows.length;
      text += this.#current?.rows(result.rows.map(cells)) ?? "";
    }
    if (result.commandTag !== "") text += this.#end(result.commandTag);
    return text;
  }

  /** Only a table tells what a statement without rows did; other formats are for programs. */
  #end(commandTag: string): string {
    const printer = this.#current;
    this.#current = undefined;
    if (printer === undefined) return this.#format === "table" ? `${commandTag}\n` : "";
    return `${printer.end(this.#rowCount)}${this.#format === "table" ? "\n" : ""}`;
  }
}

/** The values of a row lie end to end; a negative length is NULL. */
function cells(row: Row): Cell[] {
  const values = Buffer.from(row.values.buffer, row.values.byteOffset, row.values.byteLength);
  let offset = 0;
  return row.lengths.map((length) => {
    if (length < 0n) return null;
    const start = offset;
    offset += Number(length);
    return values.toString("utf8", start, offset);
  });
}
