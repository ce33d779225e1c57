import { HEADER_BYTES } from "@multipooler/pgwire";
import { decodeFields } from "@multipooler/query-service";
import type { ResultEvent, ResultSink } from "@multipooler/query-service";
import type { AdminQuery, Row } from "../classification/catalog-rows.ts";
import { Taint } from "../classification/taint.ts";
import { abortError } from "../error.ts";
import { Call } from "../execution/call.ts";
import type { CallEngine } from "../execution/call.ts";
import type { Labels } from "../pool/labels.ts";
import { preparationOf } from "../statements/backend-statement.ts";

/** No client has this origin, so a query waits for one unit of each client at most. */
const ORIGIN = "catalog";
/** What is in the database's own schemas must not run instead of what the queries mean. */
const CALLER = { user: "", settings: new Map([["search_path", "pg_catalog"]]) };
/** Of a DataRow: type and length, the number of columns, the length of each. */
const COUNT_BYTES = 2;
const LENGTH_BYTES = 4;

/** Reads the catalog of one database over its own pool, and so within the budget. */
export function catalogQuery(engine: CallEngine, labels: Labels): AdminQuery {
  return async (sql, values, { signal }) => {
    if (signal?.aborted === true) {
      throw abortError(signal);
    }
    const sink = new TextRows();
    const label = labels.of(CALLER);
    const call = new Call({
      engine,
      origin: ORIGIN,
      label,
      taint: Taint.None,
      sink,
      signal,
      statement: {
        type: "prepared",
        sql,
        parameterTypes: [],
        parameters: values.map((value) => Buffer.from(value)),
        parameterFormats: [],
        resultFormats: [],
        maxRows: 0,
        describe: true,
      },
      preparation: preparationOf(engine.registry, label, Taint.None),
      onEnd: () => undefined,
    });
    await call.run();
    return sink.rows;
  };
}

/** Gathers rows whose columns are texts. */
class TextRows implements ResultSink {
  readonly rows: Row[] = [];
  #columns: readonly string[] = [];
  /** A row that arrives in pieces. */
  #pieces: Uint8Array[] = [];

  write(event: ResultEvent): Promise<void> | undefined {
    if (event.type === "fields") {
      this.#columns = decodeFields(event.bytes).map(({ name }) => name);
    } else if (event.type === "rows") {
      this.#pieces.push(event.bytes);
      if (!event.inProgress) {
        this.#add(Buffer.concat(this.#pieces));
        this.#pieces = [];
      }
    }
    return undefined;
  }

  #add(block: Buffer): void {
    for (let start = 0; start < block.length;) {
      const end = start + 1 + block.readInt32BE(start + 1);
      this.rows.push(this.#rowOf(block.subarray(start + HEADER_BYTES, end)));
      start = end;
    }
  }

  #rowOf(body: Buffer): Row {
    let at = COUNT_BYTES;
    return Object.fromEntries(
      this.#columns.map((column) => {
        const length = body.readInt32BE(at);
        const start = at + LENGTH_BYTES;
        at = start + Math.max(length, 0);
        return [column, length < 0 ? null : body.toString("utf8", start, at)];
      }),
    );
  }
}
