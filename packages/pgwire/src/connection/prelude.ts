import {
  statementBytes,
  targetBytes,
  writeClose,
  writeStatement,
} from "../messages/extended-writer.ts";
import type { Request } from "./request.ts";

/**
 * Statements that go out ahead of one request, in the same write. When one of them fails, neither
 * those behind it nor the request are run, and the request ends with that error.
 *
 * Nothing is written behind the request until they have succeeded.
 */
export interface Prelude {
  /** One statement each. The last one ends their transaction. */
  readonly statements: readonly string[];
  /**
   * The settings that they change, by the name in lower case and with the value that the server
   * reports: such a report is no part of the answer. `undefined`: the value is not known.
   */
  readonly reports: ReadonlyMap<string, string | undefined>;
  /** All of them have succeeded. Must not throw. */
  done(): void;
}

/** A transaction that one request is to be in, and which is begun in the same write. */
export interface TransactionBegin {
  /** What begins it; see `encodeStatement`. */
  readonly statement: Buffer;
  /** It has succeeded. Must not throw. */
  begun(): void;
}

/** What goes ahead of a request: first the prelude, then the statement that begins a transaction. */
export interface PreludeParts {
  readonly prelude: Prelude | undefined;
  readonly begin: TransactionBegin | undefined;
  readonly request: Request;
}

/**
 * | phase       | meaning                                                       | next                |
 * | ----------- | ------------------------------------------------------------- | ------------------- |
 * | unsent      | waits to be written with its request                          | running             |
 * | running     | the server answers the statements                             | done, failed        |
 * | done        | the server answers the request                                |                     |
 * | failed      | the server skips the request                                  | rollingBack         |
 * | rollingBack | the transaction of the statements was left open, and is ended |                     |
 */
export type PreludePhase = "unsent" | "running" | "done" | "failed" | "rollingBack";

/**
 * A prelude, or the beginning of a transaction, or both, and the request behind them.
 *
 * The statements are sent in the extended protocol without a Sync, so that after an error the server
 * skips everything up to the next one, a Query included. A request that brings none gets one then.
 * The portal that they ran in is closed behind them: the request must not find it there.
 */
export class PreludeRun {
  readonly request: Request;
  readonly byteLength: number;
  phase: PreludePhase = "unsent";
  readonly #prelude: Prelude | undefined;
  readonly #begin: TransactionBegin | undefined;
  /** Statements that have not succeeded. */
  #left: number;
  #endsInSync = true;

  constructor({ prelude, begin, request }: PreludeParts) {
    this.#prelude = prelude;
    this.#begin = begin;
    this.request = request;
    let bytes = targetBytes(0) + (begin?.statement.length ?? 0);
    this.#left = begin === undefined ? 0 : 1;
    for (const sql of prelude?.statements ?? []) {
      bytes += statementBytes(sql);
      this.#left += 1;
    }
    this.byteLength = bytes;
  }

  /** Whether the next message is an answer to the statements, or the end of a request that is skipped. */
  get isReading(): boolean {
    return this.phase !== "unsent" && this.phase !== "done";
  }

  /** Whether the server waits for a Sync after an error in the statements. */
  get lacksSync(): boolean {
    return !this.#endsInSync;
  }

  /** Whether the request was to be in a transaction which was not begun. */
  get lacksTransaction(): boolean {
    return this.#begin !== undefined && this.phase !== "done";
  }

  /** Writes the statements, and the request behind them. Returns its end. */
  writeTo(target: Buffer, start: number): number {
    let at = start;
    for (const sql of this.#prelude?.statements ?? []) {
      at = writeStatement(target, at, sql);
    }
    at += this.#begin?.statement.copy(target, at) ?? 0;
    at = writeClose(target, at, "P", "");
    const end = this.request.writeTo(target, at);
    const type = String.fromCharCode(target[at] ?? 0);
    this.#endsInSync = type !== "Q" && type !== "F";
    this.phase = "running";
    return end;
  }

  /** One statement has succeeded, or what ends their transaction after an error. */
  completed(): void {
    this.#left -= 1;
    if (this.phase === "running" && this.#left === (this.#begin === undefined ? 0 : 1)) {
      this.#prelude?.done();
    }
  }

  /** All of them have, and their portal is closed. */
  closed(): void {
    if (this.phase === "running" && this.#left === 0) {
      this.phase = "done";
      this.#begin?.begun();
    }
  }

  /** Whether the server reports what the statements have set. */
  isExpected(name: string, value: string): boolean {
    const reports = this.#prelude?.reports;
    const setting = name.toLowerCase();
    return reports?.has(setting) === true && reports.get(setting) === value;
  }
}
