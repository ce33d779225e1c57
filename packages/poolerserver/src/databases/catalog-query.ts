import { ExtendedUnit, HEADER_BYTES } from "@multipooler/pgwire";
import type { RequestEnd } from "@multipooler/pgwire";
import { decodeFields } from "@multipooler/query-service";
import type { ResultEvent } from "@multipooler/query-service";
import type { Row } from "../classification/catalog-rows.ts";
import { abortError } from "../error.ts";
import type { Backend } from "../pool/backend.ts";
import { internalError, queryError } from "../postgres-error.ts";

/** Of a DataRow: type and length, the number of columns, the length of each. */
const COUNT_BYTES = 2;
const LENGTH_BYTES = 4;

/**
 * Runs a statement whose columns are texts on a backend of the caller's own. Cuts the backend when the
 * signal aborts. Rejects with a `MultiPoolerError`.
 */
export async function catalogQuery(
  backend: Pick<Backend, "send" | "destroy">,
  { sql, values }: { readonly sql: string; readonly values: readonly string[] },
  { signal }: { readonly signal?: AbortSignal | undefined },
): Promise<readonly Row[]> {
  const rows = new TextRows();
  const { promise: settled, resolve: settle } = Promise.withResolvers<RequestEnd>();
  const cut = (): void => backend.destroy(signal?.reason);
  signal?.addEventListener("abort", cut, { once: true });
  backend.send(
    new ExtendedUnit({
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
      receiver: { event: (event) => rows.take(event), settle },
    }),
  );
  if (signal?.aborted === true) {
    cut();
  }
  const end = await settled;
  signal?.removeEventListener("abort", cut);
  switch (end.type) {
    case "ready":
      if (end.error === undefined) {
        return rows.rows;
      }
      throw queryError(end.error);
    case "lost":
      throw signal?.aborted === true ? abortError(signal) : queryError(end.error);
    case "sinkFailed":
      throw internalError("a row of the catalog could not be read", end.cause);
  }
}

/** Gathers rows whose columns are texts. */
class TextRows {
  readonly rows: Row[] = [];
  #columns: readonly string[] = [];
  /** A row that arrives in pieces. */
  #pieces: Uint8Array[] = [];

  take(event: ResultEvent): undefined {
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
