import { PoolerErrorCode } from "@multipooler/query-service";
import { MultiPoolerError, errorDiagnostic } from "../../error.ts";
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

/** What one message of the current unit has changed. */
interface Change {
  readonly name: string;
  readonly before: ClientStatement | undefined;
}

/**
 * The prepared statements of one client, by its names. What the messages of a unit change counts at
 * once, for the messages behind them, and is undone at the end of the unit where the server has not
 * confirmed it.
 */
export class ClientStatements {
  readonly #limits: StatementLimits;
  readonly #byName = new Map<string, ClientStatement>();
  #bytes = 0;
  /** By message that is confirmed with ParseComplete or CloseComplete; `undefined`: it changes none. */
  readonly #changes: (Change | undefined)[] = [];
  #confirmed = 0;

  constructor(limits: StatementLimits) {
    this.#limits = limits;
  }

  get isEmpty(): boolean {
    return this.#byName.size === 0;
  }

  get(name: string): ClientStatement | undefined {
    return this.#byName.get(name);
  }

  /** A Parse. */
  define(name: string, statement: ClientStatement): void {
    this.#change(name, statement);
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
    this.#change(name, undefined);
  }

  /** A Close of a portal, which changes no statement. */
  noteOther(): void {
    this.#changes.push(undefined);
  }

  /** SQL that has succeeded prepares or drops a statement. */
  set(name: string, statement: ClientStatement | undefined): void {
    const former = this.#byName.get(name);
    this.#bytes += (statement?.byteLength ?? 0) - (former?.byteLength ?? 0);
    if (statement === undefined) {
      this.#byName.delete(name);
    } else {
      this.#byName.set(name, statement);
    }
  }

  clear(): void {
    this.#byName.clear();
    this.#bytes = 0;
    emptyList(this.#changes);
    this.#confirmed = 0;
  }

  /** The next message is confirmed, in their order. */
  confirm(): void {
    this.#confirmed += 1;
  }

  /** The unit is sent once more: nothing of it is confirmed. */
  restart(): void {
    this.#confirmed = 0;
  }

  /** All messages of the unit are confirmed. */
  accept(): void {
    emptyList(this.#changes);
    this.#confirmed = 0;
  }

  /** The unit has ended: undoes what is not confirmed. */
  settle(): void {
    const changes = this.#changes;
    for (let index = changes.length - 1; index >= this.#confirmed; index -= 1) {
      const change = changes[index];
      if (change !== undefined) {
        // A Parse that fails has dropped the unnamed statement before.
        const isDropped = index === this.#confirmed && change.name === UNNAMED;
        this.set(change.name, isDropped ? undefined : change.before);
      }
    }
    emptyList(changes);
    this.#confirmed = 0;
  }

  #change(name: string, statement: ClientStatement | undefined): void {
    this.#changes.push({ name, before: this.#byName.get(name) });
    this.set(name, statement);
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
