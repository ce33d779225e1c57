import { toSqlText } from "@multipooler/pgwire";
import type { Classification } from "../../classification/classification.ts";
import { Taint, WITH_STATEMENTS } from "../../classification/taint.ts";
import { textEnd } from "../input/frontend-message.ts";
import type { MessageInput } from "../input/message-input.ts";
import { StartupRestoring } from "../settings/startup-restoring.ts";
import type { SessionSettings } from "../settings/session-settings.ts";
import { emptyList } from "../emptied-list.ts";
import type { TextClassifier } from "../input/unit-cutter.ts";
import type { UnitFacts } from "../input/unit-facts.ts";
import { BoundOrders } from "./bound-orders.ts";
import { ClientStatement } from "./client-statement.ts";
import { UNNAMED } from "./client-statements.ts";
import type { ClientStatements } from "./client-statements.ts";
import { OrderFacts } from "./order-facts.ts";
import { OrderReader, carriedAlong } from "./order.ts";
import type { Order } from "./order.ts";
import { readTypes } from "./parameter-types.ts";
import { decodeName, namesIn } from "./sql-tokens.ts";
import type { StatementMessage } from "./statement-message.ts";
import { isPoolerName } from "./pooler-name.ts";
import { UnitMessages } from "./unit-messages.ts";

const STATEMENT = 0x53;
const PORTAL = 0x50;

export interface UnitStatementsOptions {
  readonly input: MessageInput;
  readonly facts: UnitFacts;
  readonly classifier: TextClassifier;
  readonly statements: ClientStatements;
  readonly settings: SessionSettings;
  /** Whether the session keeps a backend with statements that the pooler does not know. */
  readonly isPinned: () => boolean;
  /** Whether portals of one unit are there in the next one. */
  readonly isInTransaction: () => boolean;
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
  /** The last text in the unit. */
  text = "";
  /** A COPY was bound: any Execute may run it. */
  #hasBoundCopy = false;
  /** What the unnamed statement of the unit is. */
  #unnamedOrder: Order | undefined;
  readonly #bound: BoundOrders;
  /** Names of the unit that are of no statement: what is brought behind must not be found there. */
  readonly #unknown: string[] = [];
  readonly #restoring: StartupRestoring;

  constructor(options: UnitStatementsOptions) {
    this.#options = options;
    this.#messages = new UnitMessages(options.input);
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
    emptyList(this.#unknown);
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
    this.#bound.forget(this.#options.isInTransaction);
  }

  query(): void {
    const { input, statements, facts } = this.#options;
    const { bodyStart } = input;
    statements.dropUnnamed(facts.executions, facts.replies);
    const classification = this.#classify(bodyStart);
    const order = this.#orderAt(bodyStart, classification);
    this.#run(classification, order);
    if (order === undefined) {
      this.#bringNamed(this.#textAt(bodyStart), classification);
    } else if (!this.#restoreIn(order, bodyStart)) {
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
    const statement = new ClientStatement({ text: this.text, parameterTypes, classification });
    const isUnnamed = name === UNNAMED;
    const names = { nameStart: bodyStart, nameEnd };
    if (this.#isOpaque() && !isUnnamed) {
      facts.addState();
      statements.noteOther();
      this.#messages.add("plain", names);
      return;
    }
    if (!isUnnamed && statements.get(name) !== undefined) {
      statements.noteOther();
      this.#messages.add("duplicate", { ...names, ownName: decodeName(name) });
      return;
    }
    if (!isUnnamed) {
      facts.refuse(statements.refusalOf(statement));
    }
    statements.define(name, statement, facts.replies);
    if (isUnnamed) {
      facts.parses = true;
      facts.leavesStatement = true;
      this.#unnamedOrder = this.#orderAt(nameEnd + 1, classification);
      if (this.#unnamedOrder === undefined) {
        this.#bringNamed(this.#textAt(nameEnd + 1), classification);
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
    facts.refuse(statement.refusalFor(this.#options.settings.loginUser));
    const isOwn = this.#options.statements.noteBind(statement) && facts.parses;
    facts.leavesStatement &&= !isOwn;
    this.text = statement.text;
    const classification = isOwn ? statement.classification : classifier.classify(statement.text);
    this.#hasBoundCopy ||= classification.copy !== undefined;
    if (isOwn) {
      this.#run(classification, this.#unnamedOrder);
      this.#bound.bind(this.#unnamedOrder);
      return;
    }
    const text = toSqlText(statement.text);
    const order = carriedAlong(this.#orders.read(text, classification));
    if (order === undefined) {
      this.#bringNamed(text, classification);
    }
    this.#run(classification, order);
    this.#bound.bind(order);
  }

  describe(): void {
    const { input, facts } = this.#options;
    const { chunk, bodyStart, bodyEnd } = input;
    facts.needsBackend = true;
    if (bodyStart + 1 < bodyEnd && chunk[bodyStart] === STATEMENT) {
      this.#use(bodyStart + 1, true);
    }
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
    if (isStatement && statements.get(name) !== undefined) {
      statements.close(name);
    } else {
      statements.noteOther();
    }
    const isKept = !isStatement || name === UNNAMED || this.#isOpaque();
    this.#messages.add(isKept ? "plain" : "close", { nameStart, nameEnd });
  }

  /** A Parse or Close that no client may send: PostgreSQL has an error for it. */
  #passOn(): void {
    this.#options.facts.needsBackend = true;
    this.#options.statements.noteOther();
    this.#messages.add("plain", {});
  }

  /** In such an encoding a text cannot be sent by the pooler as it is known to it. */
  #isOpaque(): boolean {
    return this.#options.settings.current.isOtherEncoding;
  }

  /** A message uses the statement whose name begins at `nameStart`. */
  #use(nameStart: number, isDescribe = false): ClientStatement | undefined {
    const { input, facts, isPinned } = this.#options;
    const { chunk, bodyEnd } = input;
    const nameEnd = textEnd(chunk, nameStart, bodyEnd);
    const name = chunk.toString("latin1", nameStart, nameEnd);
    const statement = this.#usable(name);
    if (statement === undefined) {
      if (name === UNNAMED || isPoolerName(name)) {
        this.#messages.add("missing", { nameStart, nameEnd });
      } else {
        this.#unknown.push(name);
        if (isPinned()) {
          // SQL that was not understood may have prepared it.
          facts.addState();
        }
      }
      return undefined;
    }
    const isUnnamed = name === UNNAMED && facts.parses;
    if (isUnnamed && this.#unnamedOrder?.statement !== undefined) {
      // Its Parse was rewritten where it stands.
      return statement;
    }
    this.#messages.add("use", { nameStart, nameEnd, statement, isUnnamed, isDescribe });
    return statement;
  }

  /** A text in another encoding is known to the server only that got it. */
  #usable(name: string): ClientStatement | undefined {
    const { statements, facts } = this.#options;
    const statement = statements.get(name);
    const isForeign = this.#isOpaque() && !(name === UNNAMED && facts.parses);
    return isForeign && statement?.text.includes("\uFFFD") === true ? undefined : statement;
  }

  #run(classification: Classification, order: Order | undefined): void {
    this.#orderFacts.add(this.text, classification, order);
  }

  /** Has the name rewritten in the text that begins at `textStart`. Returns whether there is one. */
  #rewriteText(order: Order | undefined, textStart: number, isParse: boolean): boolean {
    if (order?.statement === undefined) {
      return false;
    }
    const { command, statement } = order;
    switch (command.type) {
      case "prepare":
      case "execute":
      case "deallocate": {
        const isTaken =
          command.type === "prepare" && this.#options.statements.get(command.name) !== undefined;
        this.#messages.add(isTaken ? "taken" : command.type, {
          nameStart: textStart + command.start,
          nameEnd: textStart + command.end,
          statement,
          ownName: decodeName(command.name),
          isParse,
        });
        return true;
      }
      case "settings":
      case "discardAll":
      case "deallocateAll":
      case "channels":
        return false;
    }
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

  /**
   * A text that is more than one command may name statements in SQL. They go to the backend under the
   * names that the client has for them, and that keeps it.
   */
  #bringNamed(text: string, { taint }: Classification): void {
    const { facts, statements } = this.#options;
    if ((taint & WITH_STATEMENTS) === 0 || statements.isEmpty || this.#isOpaque()) {
      return;
    }
    for (const name of namesIn(text)) {
      const isNone = name === undefined || name === UNNAMED || this.#unknown.includes(name);
      const statement = isNone ? undefined : statements.get(name);
      if (!isNone && statement !== undefined) {
        // Also where the text is only parsed.
        facts.addState();
        this.#messages.add("bring", { ownName: decodeName(name), statement });
      }
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
