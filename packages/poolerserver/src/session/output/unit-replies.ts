import { encodeReadyForQuery } from "@multipooler/pgwire";
import { encodePoolerError } from "@multipooler/query-service";
import type { MultiPoolerError } from "../../error.ts";
import type { ClientOutput } from "./client-output.ts";
import { FAILING_QUERY, codeOf } from "../session-refusal.ts";
import type { DatabaseObserver } from "../statement-observer.ts";
import type { StatementRegistry } from "../../statements/statement-registry.ts";
import type { SessionHold } from "../session-hold.ts";
import type { SessionSettings } from "../settings/session-settings.ts";
import type { ClientStatements } from "../statements/client-statements.ts";
import { localAnswer } from "../statements/local-answer.ts";
import type { UnitCutter } from "../input/unit-cutter.ts";
import { TransactionAnswers } from "../transaction/transaction-answers.ts";
import type { TransactionCommands } from "../transaction/transaction-command.ts";

export interface UnitRepliesOptions {
  readonly output: ClientOutput;
  readonly cutter: UnitCutter;
  readonly hold: SessionHold;
  readonly statements: ClientStatements;
  readonly settings: SessionSettings;
  readonly registry: StatementRegistry;
  /** Whether a transaction begins on a backend with its first statement. */
  readonly holdsBegin: boolean;
  readonly commands: TransactionCommands;
  /** Told of each unit, if there is somebody to tell. */
  readonly observe?: DatabaseObserver | undefined;
}

/** Answers units in place of a backend: with an error, up to the ReadyForQuery that belongs to it. */
export class UnitReplies {
  readonly #options: UnitRepliesOptions;
  readonly #transactions: TransactionAnswers;
  /** What a unit is refused with whose transaction is being made to fail. */
  #postponed: { readonly message: Uint8Array; readonly isOpen: boolean } | undefined;

  constructor(options: UnitRepliesOptions) {
    this.#options = options;
    this.#transactions = new TransactionAnswers(options);
  }

  /** The unit that runs only makes a transaction fail; its answer is not the client's. */
  get isPostponed(): boolean {
    return this.#postponed !== undefined;
  }

  /** Answers the current unit if no backend is needed for that. Returns whether it was answered. */
  replyLocally(): boolean {
    const { cutter, hold } = this.#options;
    const { facts } = cutter;
    if (facts.isOpen || hold.lease !== undefined) {
      return false;
    }
    return this.#give(facts.needsBackend ? this.#transactions.begin() : this.#parsed());
  }

  /** Ends a transaction that no backend knows of, if the current unit does that. Returns whether it does. */
  endTransaction(): boolean {
    return this.#give(this.#transactions.end());
  }

  /** The current unit is not run, because of this error. Returns that. */
  noteRefused(error: MultiPoolerError): MultiPoolerError {
    this.#observe(codeOf(error));
    return error;
  }

  /** Answers the current unit with an error. */
  reject(error: MultiPoolerError): void {
    this.#options.hold.held.fail();
    this.#options.statements.settle();
    this.#end(encodePoolerError(error, "ERROR"), this.#options.cutter.facts.isOpen);
    this.#options.cutter.forget();
  }

  /**
   * Answers the current unit with an error once the transaction that it is in has failed with it.
   * Returns what to run for that.
   */
  postpone(error: MultiPoolerError): Buffer {
    const { cutter } = this.#options;
    const { facts } = cutter;
    this.#postponed = { message: encodePoolerError(error, "ERROR"), isOpen: facts.isOpen };
    facts.reset();
    cutter.forgetMessages();
    return FAILING_QUERY;
  }

  /** The transaction has failed, if there was one to fail. */
  complete(): void {
    if (this.#postponed !== undefined) {
      const { message, isOpen } = this.#postponed;
      this.#postponed = undefined;
      this.#end(message, isOpen);
    }
  }

  /** The Sync has come up to which an error skipped. */
  ready(): void {
    const { output, hold } = this.#options;
    output.write(encodeReadyForQuery(hold.transaction));
  }

  #parsed(): Buffer | undefined {
    const { cutter, hold } = this.#options;
    const { transaction: status } = hold;
    // In a transaction that has failed a Parse fails, too.
    return status === "E" ? undefined : localAnswer(cutter.messages, { ...this.#options, status });
  }

  #give(answer: Buffer | undefined): boolean {
    if (answer === undefined) {
      return false;
    }
    const { output, statements, cutter } = this.#options;
    this.#observe(undefined);
    output.write(answer);
    statements.accept();
    cutter.forget();
    return true;
  }

  /** The current unit, which no backend gets, has begun and ended. */
  #observe(sqlstate: string | undefined): void {
    const { observe, cutter, settings } = this.#options;
    observe?.({ user: settings.loginUser, text: cutter.text })?.(sqlstate);
  }

  #end(message: Uint8Array, isOpen: boolean): void {
    const { output, cutter } = this.#options;
    output.write(message);
    if (isOpen) {
      cutter.skipToSync();
    } else {
      this.ready();
    }
  }
}
