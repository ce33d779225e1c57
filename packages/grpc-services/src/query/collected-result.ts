import {
  decodeCommandTag,
  decodeDiagnostic,
  decodeFields,
  decodeParameterStatus,
} from "@multipooler/query-service";
import type { ResultEvent } from "@multipooler/query-service";
import { PgDiagnostic, QueryResult } from "@multipooler/proto/query";
import { rowsAffected } from "./command-tag.ts";
import { diagnosticMessage } from "./diagnostic-message.ts";
import { GrpcServicesError, GrpcServicesErrorCode } from "../errors/error.ts";
import { fieldMessages } from "./field-message.ts";
import { RowDecoder } from "./row-decoder.ts";
import type { RowsEvent } from "./row-decoder.ts";

/**
 * Gathers the result of the first statement of a query string for an answer in one message:
 * decoded rows, the notices of that statement, and every parameter that changed. What the further
 * statements return is dropped.
 */
export class CollectedResult {
  readonly #maxBytes: number;
  readonly #decoder: RowDecoder;
  readonly #result: QueryResult = QueryResult.fromPartial({});
  #bytes = 0;
  #isComplete = false;

  /** @param maxBytes what rows and notices may have together, as PostgreSQL sends them. */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
    this.#decoder = new RowDecoder(maxBytes);
  }

  /** @throws MESSAGE_TOO_LARGE or MALFORMED_ROWS, after which the result is of no use. */
  take(event: ResultEvent): undefined {
    if (event.type === "parameterStatus") {
      const { name, value } = decodeParameterStatus(event.bytes);
      this.#result.parameterStatus[name] = value;
    }
    if (this.#isComplete) {
      return;
    }
    switch (event.type) {
      case "fields":
        this.#result.fields = fieldMessages(decodeFields(event.bytes));
        this.#result.hasFields = true;
        return;
      case "rows":
        this.#addRows(event);
        return;
      case "complete":
        this.#result.commandTag = decodeCommandTag(event.bytes);
        this.#result.rowsAffected = rowsAffected(this.#result.commandTag);
        this.#isComplete = true;
        return;
      case "notice":
        this.#addNotice(diagnosticMessage(decodeDiagnostic(event.bytes)));
        return;
      case "suspended":
        this.#isComplete = true;
        return;
      case "empty":
      case "parameterStatus":
        return;
    }
  }

  /** The result; an empty one if there was no statement. */
  result(): QueryResult {
    return this.#result;
  }

  #addRows(event: RowsEvent): void {
    this.#account(event.bytes.byteLength);
    for (const row of this.#decoder.decode(event, this.#result.fields.length)) {
      this.#result.rows.push(row);
    }
  }

  #addNotice(notice: PgDiagnostic): void {
    this.#account(PgDiagnostic.encode(notice).finish().byteLength);
    this.#result.notices.push(notice);
  }

  #account(bytes: number): void {
    this.#bytes += bytes;
    if (this.#bytes <= this.#maxBytes) {
      return;
    }
    throw new GrpcServicesError(
      GrpcServicesErrorCode.MessageTooLarge,
      `the result is larger than the ${this.#maxBytes} bytes that one message may have; ` +
        "use StreamExecute, or ask for fewer rows",
    );
  }
}
