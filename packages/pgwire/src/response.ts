import type { Diagnostic } from "./diagnostic.ts";
import type { Field } from "./row-description.ts";

/** The largest block of a "rows" event, and the size above which a row arrives in pieces: 2 MiB. */
export const MAX_ROW_BLOCK_BYTES = 2_097_152;

/**
 * What a request yields, in the order of the server.
 *
 * For each statement of a query string: `fields` if it returns rows (also with no column), any
 * number of `rows`, then `complete`. An empty statement yields `empty` alone. `notice` and
 * `parameterStatus` come wherever the server sent them.
 *
 * A `rows` block is a run of DataRow messages byte for byte: `D`, a big-endian int32 length that
 * counts itself and the body, the body. It holds whole messages only, except when one message is
 * longer than {@link MAX_ROW_BLOCK_BYTES}: that one comes alone, in pieces, of which every piece
 * but the last says `inProgress` and counts no row; the last counts one.
 * The receiver owns the block: it is never written to again. It may be a view into a larger
 * buffer, so one that keeps a small block for long should copy it.
 */
export type ResponseEvent =
  | { readonly type: "fields"; readonly fields: readonly Field[] }
  | {
      readonly type: "rows";
      readonly block: Uint8Array;
      readonly rowCount: number;
      readonly inProgress: boolean;
    }
  | { readonly type: "complete"; readonly commandTag: string }
  | { readonly type: "empty" }
  | { readonly type: "notice"; readonly notice: Diagnostic }
  | { readonly type: "parameterStatus"; readonly name: string; readonly value: string };

/** Where the events of one request go. */
export interface ResponseSink {
  /**
   * Takes one event. `undefined` means: go on. A promise means that the receiver is behind: nothing
   * more is written to any sink of the connection, and nothing more is read from the server, its end
   * included, until it resolves. If it rejects (or `write` throws), see {@link BackendConnection.query}.
   */
  write(event: ResponseEvent): Promise<void> | undefined;
}
