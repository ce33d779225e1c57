import type { RegisteredStatement } from "../../statements/statement-registry.ts";
import type { ClientStatement } from "./client-statement.ts";
import { definitionOf } from "./inserted-statement.ts";
import { DROPPED } from "./pooler-name.ts";
import type { StatementMessage } from "./statement-message.ts";
import type { StatementReplies } from "./statement-replies.ts";
import type { UnitSteps } from "./unit-steps.ts";

const NONE: readonly string[] = [];

export interface StatementsInPlaceOptions {
  readonly steps: UnitSteps;
  readonly replies: StatementReplies;
}

/** Makes statements right before a message that needs them, behind what its unit has done before. */
export class StatementsInPlace {
  readonly #steps: UnitSteps;
  readonly #replies: StatementReplies;
  /** Names of clients that something was given, until the unit is settled. */
  #occupied: readonly string[] = NONE;

  constructor({ steps, replies }: StatementsInPlaceOptions) {
    this.#steps = steps;
    this.#replies = replies;
  }

  /** Something has the client's name, so that the server refuses the message. */
  occupy({ ownName }: StatementMessage): void {
    this.#steps.occupyBefore(ownName);
    this.noteOccupied(ownName);
    this.#replies.expect(false);
    this.#replies.expect(false);
  }

  /** Something else has given the name away. */
  noteOccupied(name: string): void {
    this.#occupied = [...this.#occupied, name];
  }

  /** The names that are to be closed behind the unit. */
  takeOccupied(): readonly string[] {
    const occupied = this.#occupied;
    this.#occupied = NONE;
    return occupied;
  }

  /** The client's statement is there under its own name. */
  bring({ ownName, statement }: StatementMessage): void {
    if (statement === undefined) {
      this.#steps.keep();
      return;
    }
    this.#steps.insertBefore(definitionOf(statement, ownName));
    this.#replies.expectDefinition(statement, { brought: statement });
  }

  /** The same under the name of the registry, which the message gets. */
  define(
    message: StatementMessage,
    { statement, registered }: { statement: ClientStatement; registered: RegisteredStatement },
  ): void {
    const { name } = registered;
    if (statement.prepare === undefined) {
      this.#steps.parseBefore(message, name);
    } else {
      this.#steps.insertAndRename(message, name, definitionOf(statement, name));
    }
    this.#replies.expectDefinition(statement, { parsed: registered });
  }

  /** A statement that the message drops. */
  drop(message: StatementMessage): void {
    this.#steps.emptyBefore(message, DROPPED);
    this.#replies.expect(false);
    this.#replies.expect(false);
  }
}
