import { toSqlText } from "@multipooler/pgwire";
import type { Classification } from "../../classification/classification.ts";
import { Taint } from "../../classification/taint.ts";
import type { LabelSettings } from "../../pool/label-settings.ts";
import type { SessionSettings } from "../settings/session-settings.ts";
import type { TextClassifier } from "../input/unit-cutter.ts";
import type { UnitFacts } from "../input/unit-facts.ts";
import { ClientStatement } from "./client-statement.ts";
import type { ClientStatements } from "./client-statements.ts";
import { isPoolerName } from "./pooler-name.ts";
import { isAscii } from "./sql-tokens.ts";
import { readCommand } from "./session-command.ts";
import type { SessionCommand, SettingsCommand } from "./session-command.ts";
import { noStatementError } from "../session-refusal.ts";

/** A command of the client, and the statement that it names in SQL, if the pooler knows that. */
export interface Order {
  readonly command: SessionCommand;
  readonly statement: ClientStatement | undefined;
  /** What an EXECUTE runs, where that only sets and resets settings. */
  readonly executed: ExecutedSettings | undefined;
}

/** A prepared statement that only sets and resets settings. */
export interface ExecutedSettings {
  /** As `toSqlText` makes it. */
  readonly text: string;
  readonly command: SettingsCommand;
}

export interface OrderReaderOptions {
  readonly facts: UnitFacts;
  readonly classifier: TextClassifier;
  readonly statements: ClientStatements;
  readonly settings: SessionSettings;
}

/** Reads the commands of a client about its own session. */
export class OrderReader {
  readonly #options: OrderReaderOptions;

  constructor(options: OrderReaderOptions) {
    this.#options = options;
  }

  /** @param text as `toSqlText` makes it */
  read(text: string, { taint }: Classification): Order | undefined {
    const { settings } = this.#options;
    const { isOtherEncoding, obscuresText } = settings.current;
    if (taint === Taint.None || obscuresText) {
      return undefined;
    }
    const command = readCommand(text);
    if (
      command === undefined ||
      (isOtherEncoding && !isReadable(command, text, settings.startup))
    ) {
      return undefined;
    }
    const statement = this.#statementOf(command);
    return { command, statement, executed: this.#executedBy(command, statement) };
  }

  #keepsSettings(sql: string): boolean {
    return (this.#options.classifier.classify(sql).taint & Taint.Settings) === 0;
  }

  /** The values of an EXECUTE are expressions, which may do anything. */
  #executedBy(
    command: SessionCommand,
    statement: ClientStatement | undefined,
  ): ExecutedSettings | undefined {
    if (command.type !== "execute" || statement === undefined) {
      return undefined;
    }
    if (command.suffix !== "" && !this.#keepsSettings(`select ${command.suffix}`)) {
      return undefined;
    }
    const text = toSqlText(statement.text);
    const executed = readCommand(text);
    return executed?.type === "settings" ? { text, command: executed } : undefined;
  }

  #statementOf(command: SessionCommand): ClientStatement | undefined {
    const { classifier, statements, facts } = this.#options;
    switch (command.type) {
      case "prepare": {
        const { body: text, prepare } = command;
        const classification = classifier.classify(text);
        return new ClientStatement({ text, parameterTypes: [], classification, prepare });
      }
      case "execute":
      case "deallocate": {
        const statement = statements.get(command.name);
        if (statement === undefined && isPoolerName(command.name)) {
          facts.refuse(noStatementError(command.name));
        }
        return statement;
      }
      case "settings":
      case "discardAll":
      case "deallocateAll":
      case "channels":
        return undefined;
    }
  }
}

/** Whether the pooler can carry such a command along that is not in UTF-8, `text`. */
function isReadable(command: SessionCommand, text: string, startup: LabelSettings): boolean {
  switch (command.type) {
    case "discardAll":
      return true;
    case "settings": {
      const { names } = command.changes;
      // What is put back goes with the text.
      const isKnown = isAscii(text) || [...names.values()].every((change) => change === "reset");
      return isKnown && startup.isInAnyEncoding;
    }
    case "deallocateAll":
    case "channels":
    case "deallocate":
    case "execute":
    case "prepare":
      return isAscii(text);
  }
}

/** Whether it names one statement. */
export function isAboutStatement(
  command: SessionCommand,
): command is Extract<SessionCommand, { readonly start: number }> {
  return "start" in command;
}

/** What does not depend on a name in the text, which is not rewritten. */
export function carriedAlong(order: Order | undefined): Order | undefined {
  switch (order?.command.type) {
    case "settings":
    case "discardAll":
    case "deallocateAll":
    case "channels":
      return order;
    case "prepare":
    case "execute":
    case "deallocate":
    case undefined:
      return undefined;
  }
}
