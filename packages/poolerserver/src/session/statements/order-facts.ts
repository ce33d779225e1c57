import { toSqlText } from "@multipooler/pgwire";
import type { Classification } from "../../classification/classification.ts";
import { Taint } from "../../classification/taint.ts";
import type { TaintSet } from "../../classification/taint.ts";
import { classifyStatement } from "../../statements/statement-classification.ts";
import type { TextClassifier } from "../input/unit-cutter.ts";
import type { UnitFacts } from "../input/unit-facts.ts";
import { ClientStatement } from "./client-statement.ts";
import type { HeldSession } from "./held-session.ts";
import type { ClientStatements } from "./client-statements.ts";
import { isAboutChannels } from "../notifications/channel-command.ts";
import type { SettingChanges } from "../settings/setting-changes.ts";
import type { Order } from "./order.ts";
import { commandsIn } from "./session-command.ts";
import { statementsOf } from "./sql-tokens.ts";

const ALL_SETTINGS: SettingChanges = { names: new Map(), resetsAll: true };

/** Texts without it are not read for LISTEN and UNLISTEN. */
const CHANNEL_WORD = /listen/i;

export interface OrderFactsOptions {
  readonly facts: UnitFacts;
  readonly classifier: TextClassifier;
  readonly statements: ClientStatements;
  readonly hold: HeldSession;
}

/** Adds to the facts of a unit what its texts do, as far as the pooler cannot carry that along. */
export class OrderFacts {
  readonly #options: OrderFactsOptions;

  constructor(options: OrderFactsOptions) {
    this.#options = options;
  }

  /** The unit binds `text`, to run it. */
  add(text: string, classification: Classification, order: Order | undefined): void {
    const { facts } = this.#options;
    if (order === undefined) {
      facts.addText(text, classification);
      this.#noteChannels(text, classification);
      return;
    }
    const { command, statement, executed } = order;
    switch (command.type) {
      case "settings":
      case "channels":
        this.#addParts(text, classification, command.others);
        return;
      case "discardAll":
        facts.addText(text, classification, Taint.None);
        return;
      case "deallocateAll":
        facts.addText(text, classification, Taint.None);
        return;
      case "deallocate":
        this.#addUnlessKnown(text, classification, order);
        return;
      case "execute":
        if (statement === undefined) {
          this.#addUnlessKnown(text, classification, order);
        } else {
          const mask = executed === undefined ? ~Taint.None : ~Taint.Settings;
          this.#runPrepared(statement, command.suffix, mask);
        }
        return;
      case "prepare":
        facts.addText(text, classification, Taint.None);
        if (statement !== undefined && !this.#isTaken(command.name)) {
          facts.refuse(this.#options.statements.refusalOf(statement));
        }
    }
  }

  /**
   * A Query of several statements, each of which is an execution, prepares and drops statements. Those
   * that it prepares are on the backend that the session holds since.
   *
   * @param text as `toSqlText` makes it
   */
  addStatements(text: string, { taint }: Classification): void {
    const { facts, statements, classifier } = this.#options;
    if ((taint & Taint.State) === 0) {
      return;
    }
    for (const [index, command] of commandsIn(text).entries()) {
      const execution = facts.executions + index;
      if (command?.type === "deallocateAll") {
        facts.deallocatesAllAt ??= execution;
        statements.dropBySql(execution);
      } else if (command?.type === "deallocate") {
        statements.changeBySql(command.name, undefined, execution);
      } else if (command?.type === "prepare" && !this.#isTaken(command.name)) {
        const { body: sql } = command;
        const classification = classifier.classify(sql);
        const prepared = { text: sql, parameterTypes: [], classification, isOpaque: true };
        this.#define(command.name, new ClientStatement(prepared), execution);
      }
    }
  }

  /**
   * The unit executes what may be such a command.
   *
   * @param isRestored what it resets of the start-up settings is put back behind it
   */
  addExecution(order: Order | undefined, { isRestored }: { readonly isRestored: boolean }): void {
    const { facts, statements } = this.#options;
    const execution = facts.executions;
    facts.executions += 1;
    facts.hasChannelsAlone =
      order?.command.type === "channels" && order.command.others.length === 0;
    if (order === undefined) {
      return;
    }
    const { command, statement, executed } = order;
    switch (command.type) {
      case "discardAll":
        facts.discardsAll = { execution, isRestored };
        facts.addSettings(ALL_SETTINGS);
        statements.dropBySql(execution);
        return;
      case "deallocateAll":
        facts.deallocatesAllAt = execution;
        statements.dropBySql(execution);
        return;
      case "deallocate":
        statements.changeBySql(command.name, undefined, execution);
        return;
      case "prepare":
        if (statement !== undefined && !this.#isTaken(command.name)) {
          statements.changeBySql(command.name, statement, execution);
          facts.preparedBySql.push({ statement, execution });
        }
        return;
      case "settings":
        facts.addSettings(command.changes);
        facts.channels.push(...command.channels);
        return;
      case "channels":
        facts.channels.push(...command.channels);
        return;
      case "execute":
        if (executed !== undefined) {
          facts.addSettings(executed.command.changes);
        }
    }
  }

  /** A text that is not understood as one command may still change channels. */
  #noteChannels(text: string, { taint }: Classification): void {
    if ((taint & Taint.State) === 0 || !CHANNEL_WORD.test(text)) {
      return;
    }
    if ((statementsOf(toSqlText(text)) ?? [[]]).some(isAboutChannels)) {
      this.#options.facts.hasUnreadChannels = true;
    }
  }

  /** The pooler carries settings and channels along; the other statements leave what they leave. */
  #addParts(text: string, classification: Classification, others: readonly string[]): void {
    const { facts, classifier } = this.#options;
    facts.addText(text, classification, Taint.None);
    for (const other of others) {
      facts.addTaint(other, classifier.classify(other), ~Taint.None);
    }
  }

  #define(name: string, statement: ClientStatement, execution: number): void {
    const { facts, statements } = this.#options;
    facts.refuse(statements.refusalOf(statement));
    statements.changeBySql(name, statement, execution);
  }

  #isTaken(name: string): boolean {
    return this.#options.statements.get(name) !== undefined;
  }

  /** Without a statement nothing runs, unless the backend that is kept has one of this name. */
  #addUnlessKnown(text: string, classification: Classification, { statement }: Order): void {
    const isHarmless = statement !== undefined || !this.#options.hold.isStateful;
    const mask = isHarmless ? Taint.None : ~Taint.None;
    this.#options.facts.addText(text, classification, mask);
  }

  /** @param mask what of its taint the pooler cannot carry along */
  #runPrepared(
    { text: sql, parameterTypes }: ClientStatement,
    suffix: string,
    mask: TaintSet,
  ): void {
    const { facts, classifier } = this.#options;
    const executed = {
      type: "sqlExecute",
      prefix: "EXECUTE ",
      sql,
      suffix,
      parameterTypes,
    } as const;
    facts.addText(sql, classifyStatement(executed, classifier), mask);
  }
}
