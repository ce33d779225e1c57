import { HEADER_BYTES, encodeReadyForQuery } from "@multipooler/pgwire";
import type { TransactionStatus } from "@multipooler/pgwire";
import { encodeCommandTag } from "@multipooler/query-service";
import type { UnitCutter } from "../input/unit-cutter.ts";
import type { SessionHold } from "../session-hold.ts";
import type { TransactionCommand, TransactionCommands } from "./transaction-command.ts";

export interface TransactionAnswersOptions {
  readonly cutter: Pick<UnitCutter, "bytes" | "text" | "facts">;
  readonly hold: SessionHold;
  readonly commands: TransactionCommands;
  /** Whether transactions begin so. */
  readonly holdsBegin: boolean;
}

const BEGUN = answer("BEGIN", "T");
const STARTED = answer("START TRANSACTION", "T");
const COMMITTED = answer("COMMIT", "I");
const ROLLED_BACK = answer("ROLLBACK", "I");

/** Answers units that begin or end a transaction of which no backend knows. */
export class TransactionAnswers {
  readonly #options: TransactionAnswersOptions;

  constructor(options: TransactionAnswersOptions) {
    this.#options = options;
  }

  /** Begins such a transaction, if that is all that the current unit does. */
  begin(): Buffer | undefined {
    const { cutter, hold, holdsBegin } = this.#options;
    if (!holdsBegin || !cutter.facts.opensTransaction || hold.transaction !== "I") {
      return undefined;
    }
    const command = this.#command();
    switch (command?.type) {
      case "begin":
      case "start":
        hold.held.begin(command.statement);
        return command.type === "begin" ? BEGUN : STARTED;
      case "commit":
      case "rollback":
      case undefined:
        return undefined;
    }
  }

  /** Ends such a transaction, if that is all that the current unit does. */
  end(): Buffer | undefined {
    const { cutter, hold } = this.#options;
    const { status } = hold.held;
    if (status === "I" || !cutter.facts.endsTransaction) {
      return undefined;
    }
    const type = this.#command()?.type;
    if (type !== "commit" && type !== "rollback") {
      return undefined;
    }
    hold.held.end();
    return type === "commit" && status === "T" ? COMMITTED : ROLLED_BACK;
  }

  /** Only of a Query that has nothing behind its text: for others PostgreSQL has an error. */
  #command(): TransactionCommand | undefined {
    const { cutter, commands } = this.#options;
    const { bytes, text, facts } = cutter;
    const isPlainQuery = !facts.isExtended && bytes.length === HEADER_BYTES + text.length + 1;
    return isPlainQuery ? commands.read(text) : undefined;
  }
}

function answer(tag: string, status: TransactionStatus): Buffer {
  return Buffer.concat([encodeCommandTag(tag), encodeReadyForQuery(status)]);
}
