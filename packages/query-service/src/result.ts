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
 * number of `rows`, then `complete`, or `suspended` where `maxRows` ended it. An empty statement
 * yields `empty` alone. `notice` and `parameterStatus` come wherever the database sent them.
 *
 * `bytes` are messages of PostgreSQL's protocol 3 as the server sent them: a type byte, a
 * big-endian int32 length that counts itself and the body, the body. A transport passes them on or
 * decodes them with the functions of this package, and the author of a controller for another
 * database encodes them with those.
 *
 * | event           | message                                                |
 * | --------------- | ------------------------------------------------------ |
 * | fields          | one RowDescription (`T`)                               |
 * | rows            | a run of DataRow (`D`); see below                      |
 * | complete        | one CommandComplete (`C`)                              |
 * | suspended       | one PortalSuspended (`s`)                              |
 * | empty           | one EmptyQueryResponse (`I`)                           |
 * | notice          | one NoticeResponse (`N`)                               |
 * | parameterStatus | one ParameterStatus (`S`)                              |
 *
 * A `rows` event holds whole messages only, except when one message is longer than
 * {@link MAX_ROW_BLOCK_BYTES}: that one comes alone, in pieces, of which every piece but the last
 * says `inProgress` and counts no row; the last counts one.
 *
 * The receiver owns the bytes: they are never written to again. They may be a view into a larger
 * buffer, so a receiver that keeps a few of them for long should copy. Where they are all of their
 * buffer, the receiver may return its memory.
 */
export type ResultEvent =
  | { readonly type: "fields"; readonly bytes: Uint8Array }
  | {
      readonly type: "rows";
      readonly bytes: Uint8Array;
      readonly rowCount: number;
      readonly inProgress: boolean;
    }
  | { readonly type: "complete"; readonly bytes: Uint8Array }
  | { readonly type: "suspended"; readonly bytes: Uint8Array }
  | { readonly type: "empty"; readonly bytes: Uint8Array }
  | { readonly type: "notice"; readonly bytes: Uint8Array }
  | { readonly type: "parameterStatus"; readonly bytes: Uint8Array };

/** Where results go. Declared here because the executor is what calls it. */
export interface ResultSink {
  /**
   * Takes one event. `undefined` means: go on. A promise means that the receiver is behind: the
   * executor does not call the sink again until it resolves. When the sink throws or rejects, the
   * executor ends the statement, does not call it again, and rejects the call with CANCELLED.
   */
  write(event: ResultEvent): Promise<void> | undefined;
}
