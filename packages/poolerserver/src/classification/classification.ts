import type { CopyWay } from "@multipooler/pgwire";
import type { ReadOnlyEscapes } from "../read-only-guard.ts";
import type { TaintSet } from "./taint.ts";

/**
 * What may share a backend with the statements of others.
 *
 * | sharing   | is                                                          | may stand on a backend          |
 * | --------- | ----------------------------------------------------------- | ------------------------------- |
 * | shareable | one read that leaves nothing and waits for no one            | anywhere, behind and before others |
 * | mayWait   | one statement that leaves nothing but writes or may wait     | as the last one                 |
 * | exclusive | everything else                                             | alone                           |
 */
export type Sharing = "shareable" | "mayWait" | "exclusive";

/**
 * What a query string is, as far as its words and the server's catalog tell. Judged for a session in
 * autocommit; in a transaction block its backend belongs to the session anyway.
 */
export interface Classification {
  /** Statements in the text, at least: 0 for an empty one. The body of BEGIN ATOMIC counts too. */
  readonly statements: number;
  readonly sharing: Sharing;
  readonly taint: TaintSet;
  /**
   * What of the taint its words and the catalog as it was read last tell. The rest is doubt: the
   * catalog has changed since, or was not read yet.
   */
  readonly certainTaint: TaintSet;
  /** May change what the catalog holds: see `Classifier.noteDdl`. */
  readonly ddl: boolean;
  /** The way of a COPY from or to the client, which changes the mode of the protocol. */
  readonly copy: CopyWay | undefined;
  /** Has a statement that begins a transaction block. */
  readonly opensTransaction: boolean;
  /** Has a statement that ends a transaction block. */
  readonly endsTransaction: boolean;
  /** May drop prepared statements that the session did not make itself: DEALLOCATE ALL, DISCARD ALL. */
  readonly deallocates: boolean;
  /** Has the words of a temporary object in it. Others may make one without saying so. */
  readonly makesTemporary: boolean;
  /** Changes, for its transaction, a setting that decides what other texts mean: SET LOCAL and its kin. */
  readonly setsLocally: boolean;
  /** The parts that a read-only session does not stop; `undefined`: none. */
  readonly escapes: ReadOnlyEscapes | undefined;
}

/** Judges texts that ran in doubt, once the catalog was read. */
export interface DoubtReview {
  /** How often the catalog was noted to change. */
  readonly changes: number;
  /**
   * What a text has left that ran when the catalog had changed so often; `undefined` before a reading
   * that began since.
   */
  taintSince(text: string, changes: number): TaintSet | undefined;
}

/** Says what a text does to its session. */
export interface StatementClassifier {
  classify(sql: string): Classification;
  /** The catalog may have changed: said when such a statement is sent, and when it has ended. */
  noteDdl(): void;
}
