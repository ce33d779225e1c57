import type { UnitFacts } from "../input/unit-facts.ts";
import { foreignTextError } from "../session-refusal.ts";
import type { SessionSettings } from "../settings/session-settings.ts";
import type { ClientStatement } from "./client-statement.ts";
import { UNNAMED } from "./client-statements.ts";
import type { ClientStatements } from "./client-statements.ts";
import type { HeldSession } from "./held-session.ts";
import { isPoolerName } from "./pooler-name.ts";
import { isAscii } from "./sql-tokens.ts";

const NONE: readonly ClientStatement[] = [];

export interface UsableStatementsOptions {
  readonly statements: ClientStatements;
  readonly facts: UnitFacts;
  readonly settings: SessionSettings;
  readonly hold: HeldSession;
}

/**
 * Which statements of a client the pooler can bring to a backend, and which are to be found on the one
 * that the session holds only. In an encoding other than UTF-8 the pooler can send ASCII alone.
 */
export class UsableStatements {
  readonly #options: UsableStatementsOptions;
  /** What the unit brings to its backend: the rest of the unit finds it there. */
  #brought: readonly ClientStatement[] = NONE;

  constructor(options: UsableStatementsOptions) {
    this.#options = options;
  }

  /** A unit begins. */
  begin(): void {
    this.#brought = NONE;
  }

  /** The unit brings the statement under the client's name, ahead of what it reads from now on. */
  noteBrought(statement: ClientStatement): void {
    this.#brought = [...this.#brought, statement];
  }

  /** Whether the pooler cannot send a text in the encoding of the session, or may not know that. */
  isOpaque(text: string): boolean {
    const { hold, settings } = this.#options;
    const isOther = hold.isOtherEncoding ?? settings.current.isOtherEncoding;
    return !isAscii(text) && (isOther || this.#changesEncoding);
  }

  /**
   * Something in front of it in the unit may set another encoding. A reset takes it back to that of the
   * start-up settings.
   */
  get #changesEncoding(): boolean {
    const { facts, settings } = this.#options;
    const change = facts.settings?.names.get("client_encoding");
    const isReset = change === "reset" || facts.settings?.resetsAll === true;
    return facts.setsLocally || change === "set" || (isReset && settings.startup.isOtherEncoding);
  }

  /** Whether the backend that the session holds has the statement under the client's name. */
  isOwn(statement: ClientStatement): boolean {
    const isThere = this.#brought.includes(statement) || this.#options.hold.own.has(statement);
    return isThere || statement.isOpaque;
  }

  /** Whether a statement of this name is under it on the backend that is held, or may be. */
  isElsewhere(name: string): boolean {
    const statement = this.#options.statements.get(name);
    return statement === undefined
      ? this.#options.hold.isStateful && !isPoolerName(name)
      : this.isOwn(statement);
  }

  /** The statement of this name. An unnamed one that is opaque is gone with the backend that got it. */
  find(name: string): ClientStatement | undefined {
    const { statements, facts, hold } = this.#options;
    const statement = statements.get(name);
    const isHere = name !== UNNAMED || facts.parses || statement?.isOpaque !== true;
    return isHere || hold.own.has(statement) ? statement : undefined;
  }

  /** A text that was parsed in UTF-8 cannot be sent once more in another encoding. */
  refuseForeign({ text }: ClientStatement): void {
    if (this.isOpaque(text)) {
      this.#options.facts.refuse(foreignTextError());
    }
  }
}
