import { toSqlText } from "@multipooler/pgwire";
import type { Classification } from "../../classification/classification.ts";
import { Taint } from "../../classification/taint.ts";
import { textEnd } from "../input/frontend-message.ts";
import type { MessageInput } from "../input/message-input.ts";
import { StartupRestoring } from "../settings/startup-restoring.ts";
import type { SessionSettings } from "../settings/session-settings.ts";
import type { TextClassifier } from "../input/unit-cutter.ts";
import type { UnitFacts } from "../input/unit-facts.ts";
import { BoundOrders } from "./bound-orders.ts";
import { BroughtStatements } from "./brought-statements.ts";
import { ClientStatement } from "./client-statement.ts";
import { UNNAMED } from "./client-statements.ts";
import type { ClientStatements } from "./client-statements.ts";
import { OrderFacts } from "./order-facts.ts";
import { OrderReader, carriedAlong, isAboutStatement } from "./order.ts";
import type { Order } from "./order.ts";
import { readTypes } from "./parameter-types.ts";
import { decodeName } from "./sql-tokens.ts";
import type { HeldSession } from "./held-session.ts";
import type { StatementMessage } from "./statement-message.ts";
import { takenNameError } from "../session-refusal.ts";
import { isPoolerName } from "./pooler-name.ts";
import { UnitMessages } from "./unit-messages.ts";
import { UsableStatements } from "./usable-statements.ts";

const STATEMENT = 0x53;
const PORTAL = 0x50;

export interface UnitStatementsOptions {
  readonly input: MessageInput;
  readonly facts: UnitFacts;
  readonly classifier: TextClassifier;
  readonly statements: ClientStatements;
  readonly settings: SessionSettings;
  readonly hold: HeldSession;
}

/**
 * Reads the messages of a unit that bring texts or name prepared statements: what they do goes to the
 * facts, and how they are to be rewritten to {@link messages}.
 */
export class UnitStatements {
  readonly #options: UnitStatementsOptions;
  readonly #orders: OrderReader;
  readonly #orderFacts: OrderFacts;
  readonly #messages: UnitMessages;
  readonly #usable: UsableStatements;
  /** The last text in the unit. */
  text = "";
  /** A COPY was bound: any Execute may run it. */
  #hasBoundCopy = false;
  /** What the unnamed statement of the unit is. */
  #unnamedOrder: Order | undefined;
  readonly #bound: BoundOrders;
  readonly #brought: BroughtStatements;
  readonly #restoring: StartupRestoring;

  constructor(options: UnitStatementsOptions) {
    this.#options = options;
    this.#messages = new UnitMessages(options.input);
    this.#usable = new UsableStatements(options);
    const { facts, statements } = options;
    this.#brought = new BroughtStatements({
      facts,
      statements,
      usable: this.#usable,
      messages: this.#messages,
    });
    this.#orders = new OrderReader(options);
    this.#orderFacts = new OrderFacts(options);
    this.#bound = new BoundOrders(options.input);
    this.#restoring = new StartupRestoring(options.settings.startup);
  }

  /** In their order. */
  get messages(): readonly StatementMessage[] {
    return this.#messages.list;
  }

  /** A unit begins. The one before has ended. */
  begin(): void {
    this.#messages.empty();
    this.#usable.begin();
  }

  /** Another piece of the unit begins. */
  beginPiece(): void {
    this.#messages.beginPiece();
  }

  /** Lets go of what was read. */
  forget(): void {
    this.#messages.empty();
    this.text = "";
    this.#unnamedOrder = undefined;
    this.#bound.forget(this.#options.hold);
  }

  query(): void {
    const { input, statements, facts } = this.#options;
    const { chunk, bodyStart, bodyEnd } = input;
    // Without the end of its text, or with more behind it, PostgreSQL refuses the message before.
    if (textEnd(chunk, bodyStart, bodyEnd) + 1 === bodyEnd) {
      statements.dropUnnamed(facts.executions, facts.replies);
    }
    const classification = this.#classify(bodyStart);
    const order = this.#orderAt(bodyStart, classification);
    this.#orderFacts.add(this.text, classification, order);
    if (order === undefined || !isAboutStatement(order.command)) {
      this.#bringNamed(bodyStart, classification);
      this.#orderFacts.addStatements(this.#textAt(bodyStart), classification);
    }
    if (order !== undefined && !this.#restoreIn(order, bodyStart)) {
      this.#rewriteText(order, bodyStart, false);
    }
    this.#orderFacts.addExecution(order, { isRestored: false });
  }

  parse(): void {
    const { input, facts, statements } = this.#options;
    const { chunk, bodyStart, bodyEnd } = input;
    const nameEnd = textEnd(chunk, bodyStart, bodyEnd);
    const parameterTypes = readTypes(chunk, textEnd(chunk, nameEnd + 1, bodyEnd) + 1, bodyEnd);
    if (parameterTypes === undefined) {
      this.#passOn();
      return;
    }
    const name = chunk.toString("latin1", bodyStart, nameEnd);
    const classification = this.#classify(nameEnd + 1);
    const isOpaque = this.#usable.isOpaque(this.text);
    const { text } = this;
    const statement = new ClientStatement({ text, parameterTypes, classification, isOpaque });
    const isUnnamed = name === UNNAMED;
    const names = { nameStart: bodyStart, nameEnd };
    const former = isUnnamed ? undefined : statements.get(name);
    if (former !== undefined) {
      statements.noteOther();
      const kind = this.#usable.isOwn(former) ? "plain" : "duplicate";
      this.#messages.add(kind, { ...names, ownName: decodeName(name) });
      return;
    }
    if (!isUnnamed) {
      facts.refuse(statements.refusalOf(statement));
    }
    statements.define(name, statement, facts.replies);
    if (isOpaque && !isUnnamed) {
      facts.refuse(isPoolerName(name) ? takenNameError(name) : undefined);
      facts.addState();
      this.#messages.add("plain", { ...names, statement });
      return;
    }
    if (isUnnamed) {
      facts.parses = true;
      facts.leavesStatement = true;
      facts.isUnnamedOpaque = isOpaque;
      this.#unnamedOrder = this.#orderAt(nameEnd + 1, classification);
      if (this.#unnamedOrder === undefined) {
        this.#bringNamed(nameEnd + 1, classification);
      } else if (this.#rewriteText(this.#unnamedOrder, nameEnd + 1, true)) {
        return;
      }
    }
    this.#messages.add("parse", { ...names, statement, isUnnamed });
  }

  bind(): void {
    const { input, facts, classifier } = this.#options;
    const { chunk, bodyStart, bodyEnd } = input;
    facts.needsBackend = true;
    const portalEnd = textEnd(chunk, bodyStart, bodyEnd);
    if (portalEnd + 1 >= bodyEnd) {
      // PostgreSQL has an error for it.
      return;
    }
    const statement = this.#use(portalEnd + 1);
    if (statement === undefined) {
      return;
    }
    if (!this.#usable.isOwn(statement)) {
      facts.refuse(statement.refusalFor(this.#options.settings.loginUser));
    }
    const isOwn = this.#options.statements.noteBind(statement) && facts.parses;
    facts.leavesStatement &&= !isOwn;
    this.text = statement.text;
    const classification = isOwn ? statement.classification : classifier.classify(statement.text);
    this.#hasBoundCopy ||= classification.copy !== undefined;
    if (isOwn) {
      this.#orderFacts.add(this.text, classification, this.#unnamedOrder);
      this.#bound.bind(this.#unnamedOrder);
      return;
    }
    const text = toSqlText(statement.text);
    const order = carriedAlong(this.#orders.read(text, classification));
    if (order === undefined) {
      this.#brought.bring(text, classification);
    }
    this.#orderFacts.add(this.text, classification, order);
    this.#bound.bind(order);
  }

  describe(): void {
    const { input, facts, statements } = this.#options;
    const { chunk, bodyStart, bodyEnd } = input;
    facts.needsBackend = true;
    const isStatement = bodyStart + 1 < bodyEnd && chunk[bodyStart] === STATEMENT;
    const statement = isStatement ? this.#use(bodyStart + 1, true) : undefined;
    statements.describe(statement, facts.replies);
  }

  execute(): void {
    const { facts } = this.#options;
    facts.needsBackend = true;
    facts.copies ||= this.#hasBoundCopy;
    const order = this.#bound.take();
    const restoring = this.#restoring.behind(order, facts.executions);
    if (restoring !== undefined) {
      this.#messages.add("restoreBehind", { restoring });
    }
    this.#orderFacts.addExecution(order, { isRestored: true });
  }

  close(): void {
    const { input, statements } = this.#options;
    const { chunk, bodyStart, bodyEnd } = input;
    const nameStart = bodyStart + 1;
    const nameEnd = textEnd(chunk, nameStart, bodyEnd);
    const name = chunk.toString("latin1", nameStart, nameEnd);
    const isStatement = chunk[bodyStart] === STATEMENT;
    if ((!isStatement && chunk[bodyStart] !== PORTAL) || nameEnd + 1 !== bodyEnd) {
      this.#passOn();
      return;
    }
    const isKept = !isStatement || name === UNNAMED || this.#usable.isElsewhere(name);
    if (isStatement && statements.get(name) !== undefined) {
      statements.close(name);
    } else {
      statements.noteOther();
    }
    this.#messages.add(isKept ? "plain" : "close", { nameStart, nameEnd });
  }

  /** A Parse or Close that no client may send: PostgreSQL has an error for it. */
  #passOn(): void {
    this.#options.facts.needsBackend = true;
    this.#options.statements.noteOther();
    this.#messages.add("plain", {});
  }

  /** A message uses the statement whose name begins at `nameStart`. */
  #use(nameStart: number, isDescribe = false): ClientStatement | undefined {
    const { input, facts, hold } = this.#options;
    const { chunk, bodyEnd } = input;
    const nameEnd = textEnd(chunk, nameStart, bodyEnd);
    const name = chunk.toString("latin1", nameStart, nameEnd);
    const statement = this.#usable.find(name);
    const isUnnamed = name === UNNAMED && facts.parses;
    if (statement !== undefined && !isUnnamed && this.#usable.isOwn(statement)) {
      return statement;
    }
    if (statement === undefined) {
      if (name === UNNAMED || isPoolerName(name)) {
        this.#messages.add("missing", { nameStart, nameEnd });
      } else if (hold.isStateful) {
        // SQL that was not understood may have prepared it.
        facts.addState();
      }
      return undefined;
    }
    if (isUnnamed && this.#unnamedOrder?.statement !== undefined) {
      // Its Parse was rewritten where it stands.
      return statement;
    }
    if (!isUnnamed) {
      this.#usable.refuseForeign(statement);
    }
    this.#messages.add("use", { nameStart, nameEnd, statement, isUnnamed, isDescribe });
    return statement;
  }

  /** Has the name rewritten in the text that begins at `textStart`. Returns whether there is one. */
  #rewriteText(order: Order | undefined, textStart: number, isParse: boolean): boolean {
    if (order?.statement === undefined || !isAboutStatement(order.command)) {
      return false;
    }
    const { command, statement } = order;
    const former = this.#options.statements.get(command.name);
    if (former !== undefined && this.#usable.isOwn(former)) {
      return false;
    }
    if (command.type === "execute") {
      this.#usable.refuseForeign(statement);
    }
    const kind = command.type === "prepare" && former !== undefined ? "taken" : command.type;
    this.#messages.add(kind, {
      nameStart: textStart + command.start,
      nameEnd: textStart + command.end,
      statement,
      ownName: decodeName(command.name),
      isParse,
    });
    return true;
  }

  /** Has a text put back what it resets of the start-up settings. Returns whether it resets any. */
  #restoreIn(order: Order, textStart: number): boolean {
    const { executions } = this.#options.facts;
    const restoring = this.#restoring.inText(order, this.#textAt(textStart), executions);
    if (restoring !== undefined) {
      const place = { nameStart: textStart + restoring.start, nameEnd: textStart + restoring.end };
      this.#messages.add("restoreIn", { ...place, restoring });
    }
    return restoring !== undefined;
  }

  #bringNamed(start: number, classification: Classification): void {
    if (classification.taint !== Taint.None) {
      this.#brought.bring(this.#textAt(start), classification);
    }
  }

  /** Judges the text that begins at `start` in the current message. */
  #classify(start: number): Classification {
    const { chunk, bodyEnd } = this.#options.input;
    this.text = chunk.toString("utf8", start, textEnd(chunk, start, bodyEnd));
    return this.#options.classifier.classify(this.text);
  }

  #orderAt(start: number, classification: Classification): Order | undefined {
    if (classification.taint === Taint.None) {
      return undefined;
    }
    return this.#orders.read(this.#textAt(start), classification);
  }

  /** The text that begins at `start` in the current message, one character a byte. */
  #textAt(start: number): string {
    const { chunk, bodyEnd } = this.#options.input;
    return chunk.toString("latin1", start, textEnd(chunk, start, bodyEnd));
  }
}
