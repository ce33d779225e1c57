import type { Restoring } from "../settings/startup-restoring.ts";
import type { ClientStatement } from "./client-statement.ts";

/**
 * What becomes of a message that names a prepared statement, when it is written to a backend.
 *
 * | kind       | is                                   | on the backend                                        |
 * | ---------- | ------------------------------------ | ----------------------------------------------------- |
 * | parse      | Parse                                | renamed; left out where the backend has the statement |
 * | duplicate  | Parse of a name that there is        | as it is; something has the name, so that it fails     |
 * | missing    | use of a statement that there is not | names one that there is not                           |
 * | use        | Bind, or Describe of a statement     | renamed; a Parse goes before it where it is missing   |
 * | close      | Close of a statement                 | closes nothing, since others may use the statement    |
 * | plain      | Parse or Close that stays as it is   | as it is                                              |
 * | prepare    | PREPARE in SQL                       | renamed                                               |
 * | taken      | PREPARE of a name that there is      | as it is; something has the name, so that it fails     |
 * | execute    | EXECUTE in SQL                       | renamed; prepared before, where it is missing         |
 * | bring      | SQL that may name a statement        | as it is; the statement goes before it, as the client calls it |
 * | bringBehind | the same for a statement of the same unit | as it is; the statement is made right before it    |
 * | restoreIn  | text that resets start-up settings   | puts them back behind that                            |
 * | restoreBehind | Execute of such a text            | as it is; statements that put them back come behind it |
 * | deallocate | DEALLOCATE in SQL                    | drops a statement that is made for that               |
 */
export type StatementMessageKind =
  | "parse"
  | "duplicate"
  | "missing"
  | "use"
  | "close"
  | "plain"
  | "prepare"
  | "taken"
  | "execute"
  | "bring"
  | "bringBehind"
  | "restoreIn"
  | "restoreBehind"
  | "deallocate";

/** Positions are those in the bytes of the unit. */
export interface StatementMessage {
  readonly kind: StatementMessageKind;
  readonly start: number;
  readonly end: number;
  readonly nameStart: number;
  readonly nameEnd: number;
  readonly statement: ClientStatement | undefined;
  /** As the client calls the statement, where it is to have that name. */
  readonly ownName: string;
  /** It is about the unnamed statement that the same unit parses. */
  readonly isUnnamed: boolean;
  /** It asks for the columns of the statement. */
  readonly isDescribe: boolean;
  /** It is a Parse of SQL that names a statement. */
  readonly isParse: boolean;
  /** What it is added that puts start-up settings back. */
  readonly restoring: Restoring | undefined;
}
