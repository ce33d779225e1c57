import type { MultiPoolerError } from "../../error.ts";
import { outdatedPlanError } from "../session-refusal.ts";
import type { Classification } from "../../classification/classification.ts";
import type {
  RegisteredStatement,
  StatementRegistry,
} from "../../statements/statement-registry.ts";

/** How SQL prepares a statement: what stands before and behind its name. */
export interface PrepareText {
  readonly head: string;
  readonly tail: string;
}

/** Columns of a statement, as of how many changes of these. */
interface Description {
  readonly registered: RegisteredStatement;
  readonly changes: number;
}

/**
 * A prepared statement of a client, under whatever name the client has for it. On a backend it has
 * the name of the registry, which depends on the settings that it is parsed under.
 */
export class ClientStatement {
  readonly text: string;
  readonly parameterTypes: readonly number[];
  /** As of its Parse. */
  readonly classification: Classification;
  /** Set for one that SQL prepares; a Parse prepares the others. */
  readonly prepare: PrepareText | undefined;
  /** The pooler cannot send its text: only the backend has it that got the client's Parse. */
  readonly isOpaque: boolean;
  #registered: RegisteredStatement | undefined;
  #conditions = "";
  /** What the client was told the columns of. */
  #told: Description | undefined;
  /** The same, as it is asked for. */
  #asked: Description | undefined;

  constructor(options: {
    readonly text: string;
    readonly parameterTypes: readonly number[];
    readonly classification: Classification;
    readonly prepare?: PrepareText | undefined;
    readonly isOpaque?: boolean;
  }) {
    this.text = options.text;
    this.parameterTypes = options.parameterTypes;
    this.classification = options.classification;
    this.prepare = options.prepare;
    this.isOpaque = options.isOpaque ?? false;
  }

  /** Bytes of text, roughly. */
  get byteLength(): number {
    return this.text.length + 4 * this.parameterTypes.length;
  }

  /**
   * A message is placed that uses the statement; `isDescribe`: it asks for the columns. Returns whether
   * other columns than the client was told are PostgreSQL's error.
   */
  use(isDescribe: boolean, user: string): boolean {
    const registered = this.#registered;
    if (isDescribe && registered !== undefined) {
      this.#asked = { registered, changes: registered.changes.get(user) ?? 0 };
    }
    return this.#told !== undefined && !isDescribe;
  }

  /** The client has got the columns that it asked for, by which it reads rows from now on. */
  describe(): void {
    this.#told = this.#asked ?? this.#told;
  }

  /** Why it cannot be run: its columns are known to be others than the client was told. */
  refusalFor(user: string): MultiPoolerError | undefined {
    const told = this.#told;
    const isSame = told === undefined || told.registered !== this.#registered;
    return isSame || told.changes === (told.registered.changes.get(user) ?? 0)
      ? undefined
      : outdatedPlanError();
  }

  /** @param conditions the settings of the session that decide what the text means */
  registeredIn(registry: StatementRegistry, conditions: string): RegisteredStatement {
    let registered = this.#registered;
    if (registered === undefined || this.#conditions !== conditions) {
      const { text: sql, parameterTypes } = this;
      registered =
        this.prepare === undefined
          ? registry.find({ sql, parameterTypes }, conditions)
          : (registered ?? registry.addPrivate({ sql, parameterTypes }));
      this.#registered = registered;
      this.#conditions = conditions;
    }
    return registered;
  }
}
