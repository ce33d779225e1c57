import type { RegisteredStatement } from "../../statements/statement-registry.ts";
import type { Restoring } from "../settings/startup-restoring.ts";
import { emptyList } from "../emptied-list.ts";
import type { ClientStatement } from "./client-statement.ts";
import { REPLIES_TO_INSERTED } from "./inserted-statement.ts";

const PARSE_COMPLETE = 0x31;
const CLOSE_COMPLETE = 0x33;
const BIND_COMPLETE = 0x32;
const COMMAND_COMPLETE = 0x43;
const EMPTY_QUERY = 0x49;
const ROW_DESCRIPTION = 0x54;
const NO_DATA = 0x6e;
const PORTAL_SUSPENDED = 0x73;
const NOTICE = 0x4e;
const NOTIFICATION = 0x41;

/** A ParseComplete or CloseComplete to come. */
interface Reply {
  /** The client has sent the message that it answers. */
  readonly isForClient: boolean;
  readonly parsed: RegisteredStatement | undefined;
  /** Of the statement, when it was sent. */
  readonly generation: number;
  /** What the backend has then under the name that the client has for it. */
  readonly brought: ClientStatement | undefined;
  /** How many messages come behind it before that is so. */
  readonly hidden: number;
}

export interface StatementRepliesOptions {
  readonly onParsed: (statement: RegisteredStatement, generation: number) => void;
  readonly onBrought: (statement: ClientStatement) => void;
  /** Told what of the client's unit is answered. */
  readonly statements: {
    confirm(): void;
    confirmExecution(): void;
    noteReply(): void;
    readonly counts: { serverParses: number };
  };
}

/** Tells which messages of an answer are the client's, and which answer what was put into its unit. */
export class StatementReplies {
  readonly #options: StatementRepliesOptions;
  readonly #expected: Reply[] = [];
  /** SQL of the unit prepares them, before what comes behind it. */
  readonly #prepared: RegisteredStatement[] = [];
  #count = 0;
  #hasProgress = false;
  /** What the pooler has the unit do besides, behind which of the client's executions. */
  readonly #hidden: { readonly execution: number; readonly replies: number }[] = [];
  /** Messages to come that answer such a thing. */
  #hiddenLeft = 0;
  /** What the backend has once they have come. */
  #made: Reply | undefined;
  #executions = 0;

  constructor(options: StatementRepliesOptions) {
    this.#options = options;
  }

  /** How many have come. */
  get count(): number {
    return this.#count;
  }

  /** Whether the server has done more than to parse and to close. */
  get hasProgress(): boolean {
    return this.#hasProgress;
  }

  /** Whether a message of the client itself is to be answered. */
  get hasAnyForClient(): boolean {
    return this.#expected.some(({ isForClient }) => isForClient);
  }

  begin(): void {
    emptyList(this.#expected);
    emptyList(this.#prepared);
    this.#count = 0;
    this.#hasProgress = false;
    emptyList(this.#hidden);
    this.#hiddenLeft = 0;
    this.#made = undefined;
    this.#executions = 0;
  }

  /** One more message is sent, at the end. */
  expect(isForClient: boolean, parsed?: RegisteredStatement): void {
    this.#expect({ isForClient, parsed });
  }

  /** What defines a statement is sent, at the end: see `definitionOf`. */
  expectDefinition(
    { prepare }: ClientStatement,
    made: { readonly parsed: RegisteredStatement } | { readonly brought: ClientStatement },
  ): void {
    if (prepare === undefined) {
      this.expect(false);
      this.#expect(made);
    } else {
      this.#expect({ ...made, hidden: REPLIES_TO_INSERTED });
    }
  }

  /** SQL that prepares a statement is sent, at the end. */
  notePrepared(statement: RegisteredStatement | undefined): void {
    if (statement !== undefined) {
      this.#prepared.push(statement);
    }
  }

  /** So many Closes go ahead of everything. */
  expectFirst(closes: number): void {
    for (let n = 0; n < closes; n += 1) {
      this.#expected.unshift(replyOf({}));
    }
  }

  /** What puts start-up settings back is not answered to the client. */
  hideRestoring(restoring: Restoring | undefined): void {
    if (restoring !== undefined) {
      const { executions, replies } = restoring;
      this.#hidden.push(...executions.map((execution) => ({ execution, replies })));
    }
  }

  /** Whether a statement is parsed in this unit, or prepared by SQL. */
  parses(statement: RegisteredStatement): boolean {
    return (
      this.#prepared.includes(statement) ||
      this.#expected.some(({ parsed }) => parsed === statement)
    );
  }

  /** A message of the answer begins. Returns whether it is the client's. */
  take(code: number): boolean {
    if (this.#hiddenLeft > 0 && code !== NOTICE && code !== NOTIFICATION) {
      this.#hiddenLeft -= 1;
      if (this.#hiddenLeft === 0) {
        this.#make(this.#made);
        this.#made = undefined;
      }
      return false;
    }
    if (code !== PARSE_COMPLETE && code !== CLOSE_COMPLETE) {
      this.#progress(code);
      return true;
    }
    const reply = this.#expected[this.#count];
    this.#count += 1;
    if (reply !== undefined && reply.hidden > 0) {
      this.#hiddenLeft = reply.hidden;
      this.#made = reply;
    } else {
      this.#make(reply);
    }
    const isForClient = reply?.isForClient ?? true;
    if (isForClient) {
      this.#options.statements.confirm();
    }
    return isForClient;
  }

  #expect(reply: Partial<Reply>): void {
    this.#expected.push(replyOf(reply));
    if (reply.parsed !== undefined) {
      this.#options.statements.counts.serverParses += 1;
    }
  }

  /** The backend has what such a reply tells. */
  #make(reply: Reply | undefined): void {
    if (reply?.parsed !== undefined) {
      this.#options.onParsed(reply.parsed, reply.generation);
    }
    if (reply?.brought !== undefined) {
      this.#options.onBrought(reply.brought);
    }
  }

  #progress(code: number): void {
    this.#hasProgress = true;
    switch (code) {
      case COMMAND_COMPLETE:
      case EMPTY_QUERY:
      case PORTAL_SUSPENDED:
        this.#options.statements.confirmExecution();
        this.#hideBehind(this.#executions);
        this.#executions += 1;
        return;
      case BIND_COMPLETE:
      case ROW_DESCRIPTION:
      case NO_DATA:
        this.#options.statements.noteReply();
        return;
      default:
    }
  }

  #hideBehind(execution: number): void {
    if (this.#hidden[0]?.execution === execution) {
      this.#hiddenLeft = this.#hidden.shift()?.replies ?? 0;
    }
  }
}

function replyOf({ isForClient = false, parsed, brought, hidden = 0 }: Partial<Reply>): Reply {
  return { isForClient, parsed, generation: parsed?.generation ?? 0, brought, hidden };
}
