import type { Diagnostic } from "./diagnostic.ts";

/** The largest block of a "rows" event, and the size from which a row arrives in pieces: 2 MiB. */
export const MAX_ROW_BLOCK_BYTES = 2_097_152;

/** One column of a result, as RowDescription tells it. */
export interface Field {
  readonly name: string;
  readonly tableOid: number;
  readonly tableAttributeNumber: number;
  readonly dataTypeOid: number;
  /** Bytes, or negative for a type of variable width. */
  readonly dataTypeSize: number;
  readonly typeModifier: number;
  /** 0 text, 1 binary. */
  readonly format: number;
}

/**
 * What a running statement yields, in the order of the database.
 *
 * For each statement of a query string: `fields` if it returns rows (also with no column), any
 * number of `rows`, then `complete`. An empty statement yields `empty` alone. `notice` and
 * `parameterStatus` come wherever the database sent them.
 *
 * A `rows` block is a run of PostgreSQL DataRow messages byte for byte: `D`, a big-endian int32
 * length that counts itself and the body, the body. It holds whole messages only, except when one
 * message is longer than {@link MAX_ROW_BLOCK_BYTES}: that one comes alone, in pieces, of which
 * every piece but the last says `inProgress` and counts no row; the last counts one.
 * The receiver owns the block; it is never written to again.
 */
export type ResultEvent =
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

/** Where results go. Declared here because the controller is what calls it. */
export interface ResultSink {
  /**
   * Takes one event. `undefined` means: go on. A promise means that the receiver is behind: the
   * controller stops reading from the database until it resolves. When it throws or rejects, the
   * controller ends the statement, hands in nothing more, and rejects the call with CANCELLED. While
   * a promise is pending only events that were already read may be handed in.
   */
  write(event: ResultEvent): Promise<void> | undefined;
}
