import type { ClientStatement } from "./client-statement.ts";

/**
 * What becomes of a message that names a prepared statement, when it is written to a backend.
 *
 * | kind       | is                                   | on the backend                                        |
 * | ---------- | ------------------------------------ | ----------------------------------------------------- |
 * | parse      | Parse                                | renamed; left out where the backend has the statement |
 * | use        | Bind, or Describe of a statement     | renamed; a Parse goes before it where it is missing   |
 * | close      | Close of a statement                 | closes nothing, since others may use the statement    |
 * | plain      | Parse or Close that stays as it is   | as it is                                              |
 * | prepare    | PREPARE in SQL                       | renamed                                               |
 * | execute    | EXECUTE in SQL                       | renamed; prepared before, where it is missing         |
 * | deallocate | DEALLOCATE in SQL                    | drops a statement that is made for that               |
 */
export type StatementMessageKind =
  | "parse"
  | "use"
  | "close"
  | "plain"
  | "prepare"
  | "execute"
  | "deallocate";

/** Positions are those in the bytes of the unit. */
export interface StatementMessage {
  readonly kind: StatementMessageKind;
  readonly start: number;
  readonly end: number;
  readonly nameStart: number;
  readonly nameEnd: number;
  readonly statement: ClientStatement | undefined;
  /** It is about the unnamed statement that the same unit parses. */
  readonly isUnnamed: boolean;
  /** It is a Parse of SQL that names a statement. */
  readonly isParse: boolean;
}
