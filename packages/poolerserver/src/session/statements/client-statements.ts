import { PoolerErrorCode } from "@multipooler/query-service";
import { MultiPoolerError, errorDiagnostic } from "../../error.ts";
import type { StatementCounts } from "../../statements/statement-counts.ts";
import type { ClientStatement } from "./client-statement.ts";
import { emptyList } from "../emptied-list.ts";

/** How much a session may have prepared. */
export interface StatementLimits {
  readonly maxStatements: number;
  /** Of their texts. */
  readonly maxStatementBytes: number;
}

/** The name of the unnamed statement. */
export const UNNAMED = "";

/** The position of what does not drop a statement when it fails. */
const NEVER = -1;

/** What one message of the current unit has changed. */
interface Change {
  readonly name: string;
  readonly before: ClientStatement | undefined;
  /**
   * Which of the unit's confirmations it takes: of a ParseComplete or CloseComplete, or of the end of
   * an execution, where it is SQL that changes the statement.
   */
  readonly confirmation: number;
  readonly isBySql: boolean;
  /** How many messages of the unit are answered before it. */
  readonly position: number;
}

/** A message of the current unit that asks for the columns of a statement. */
interface Describing {
  readonly statement: ClientStatement;
  /** How many messages of the unit are answered before it. */
  readonly position: number;
}

/**
 * The prepared statements of one client, by its names. What the messages of a unit change counts at
 * once, for the messages behind them, and is undone at the end of the unit where the server has not
 * confirmed it.
 */
export class ClientStatements {
  /** Of all sessions. */
  readonly counts: StatementCounts;
  readonly #limits: StatementLimits;
  readonly #byName = new Map<string, ClientStatement>();
  #bytes = 0;
  readonly #changes: Change[] = [];
  readonly #describing: Describing[] = [];
  /** Parse and Close messages of the unit, and how many of them are confirmed. */
  #messages = 0;
  #confirmed = 0;
  /** Messages of the unit that have been answered, of whatever type. */
  #answered = 0;
  /** Executions of the unit that have come to their end. */
  #executed = 0;

  constructor(limits: StatementLimits, counts: StatementCounts) {
    this.#limits = limits;
    this.counts = counts;
  }

  get isEmpty(): boolean {
    return this.#byName.size === 0;
  }

  /** A Bind uses the statement. Returns whether that is the unnamed one. */
  noteBind(statement: ClientStatement): boolean {
    const isUnnamed = statement === this.get(UNNAMED);
    this.counts.binds += isUnnamed ? 0 : 1;
    return isUnnamed;
  }

  get(name: string): ClientStatement | undefined {
    return this.#byName.get(name);
  }

  /** Whether the current unit has defined or dropped the statement of this name. */
  isOfUnit(name: string): boolean {
    return this.#changes.some((change) => change.name === name);
  }

  /** A Parse. @param position how many messages of the unit are answered before it */
  define(name: string, statement: ClientStatement, position: number): void {
    this.counts.clientParses += name === UNNAMED ? 0 : 1;
    this.#changeByMessage(name, statement, position);
  }

  /** A Describe, of this statement if any. @param position how many messages of the unit are answered before it */
  describe(statement: ClientStatement | undefined, position: number): void {
    if (statement !== undefined) {
      this.#describing.push({ statement, position });
    }
  }

  /** Why no further statement can be added. */
  refusalOf({ byteLength }: ClientStatement): MultiPoolerError | undefined {
    const { maxStatements, maxStatementBytes } = this.#limits;
    if (this.#byName.size >= maxStatements) {
      return limitError("maxSessionStatements", `${maxStatements} statements`);
    }
    return this.#bytes + byteLength > maxStatementBytes
      ? limitError("maxSessionStatementBytes", `${maxStatementBytes} bytes of statements`)
      : undefined;
  }

  /** A Close of a statement. */
  close(name: string): void {
    this.#changeByMessage(name, undefined, NEVER);
  }

  /** A Close of a portal, which changes no statement. */
  noteOther(): void {
    this.#messages += 1;
  }

  /** SQL prepares or drops a statement. @param execution which of the unit's texts does so */
  changeBySql(name: string, statement: ClientStatement | undefined, execution: number): void {
    this.#change({ name, confirmation: execution, isBySql: true, position: NEVER }, statement);
  }

  /**
   * A Query drops the unnamed statement, also where it fails, unless an error has it skipped.
   *
   * @param execution which of the unit's texts it is
   * @param position how many messages of the unit are answered before it
   */
  dropUnnamed(execution: number, position: number): void {
    if (this.#byName.has(UNNAMED)) {
      const change = { name: UNNAMED, confirmation: execution, isBySql: true, position };
      this.#change(change, undefined);
    }
  }

  /** SQL drops all named statements. @param execution which of the unit's texts does so */
  dropBySql(execution: number): void {
    for (const name of this.#byName.keys()) {
      if (name !== UNNAMED) {
        this.changeBySql(name, undefined, execution);
      }
    }
  }

  /** Has a statement be this, whatever the server answers to the unit. */
  set(name: string, statement: ClientStatement | undefined): void {
    const former = this.#byName.get(name);
    this.#bytes += (statement?.byteLength ?? 0) - (former?.byteLength ?? 0);
    if (statement === undefined) {
      this.#byName.delete(name);
    } else {
      this.#byName.set(name, statement);
    }
  }

  /** The next message is confirmed, in their order. */
  confirm(): void {
    this.#confirmed += 1;
    this.#answered += 1;
  }

  /** The next execution has come to its end, in their order. */
  confirmExecution(): void {
    this.#executed += 1;
    this.#answered += 1;
  }

  /** Another message is answered. */
  noteReply(): void {
    this.#answered += 1;
  }

  /** Whether this execution of the unit has come to its end. */
  hasExecuted(execution: number): boolean {
    return execution < this.#executed;
  }

  /** The unit is sent once more: nothing of it is confirmed. */
  restart(): void {
    this.#confirmed = 0;
    this.#executed = 0;
    this.#answered = 0;
  }

  /** All messages of the unit are confirmed. */
  accept(): void {
    emptyList(this.#changes);
    this.#messages = 0;
    this.restart();
  }

  /** The unit has ended: undoes what is not confirmed. */
  settle(): void {
    for (const { statement, position } of this.#describing) {
      if (position < this.#answered) {
        statement.describe();
      }
    }
    emptyList(this.#describing);
    for (let change = this.#changes.pop(); change !== undefined; change = this.#changes.pop()) {
      const { name, before, confirmation, isBySql, position } = change;
      if (confirmation >= (isBySql ? this.#executed : this.#confirmed)) {
        // A Parse or Query that fails has dropped the unnamed statement before.
        const hasFailed = position !== NEVER && position <= this.#answered;
        this.set(name, hasFailed && name === UNNAMED ? undefined : before);
      }
    }
    this.#messages = 0;
    this.restart();
  }

  #changeByMessage(name: string, statement: ClientStatement | undefined, position: number): void {
    this.#change({ name, confirmation: this.#messages, isBySql: false, position }, statement);
    this.#messages += 1;
  }

  #change(change: Omit<Change, "before">, statement: ClientStatement | undefined): void {
    this.#changes.push({ ...change, before: this.#byName.get(change.name) });
    this.set(change.name, statement);
  }
}

function limitError(setting: string, limit: string): MultiPoolerError {
  const message = `a session may prepare ${limit} at most (${setting})`;
  return new MultiPoolerError(PoolerErrorCode.InvalidArgument, message, {
    diagnostic: errorDiagnostic("53400", message, {
      hint: "Close or DEALLOCATE statements that are not needed any more.",
    }),
  });
}
