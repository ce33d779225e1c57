import type { ClientState } from "./client-state.ts";
import { CopyRelay } from "./copy-relay.ts";
import type { CopyRelayParts } from "./copy-relay.ts";
import type { NotificationRelay } from "./notification-relay.ts";
import type { PoolerCalls } from "./pooler-calls.ts";
import type { ReservationCalls } from "./reservation-calls.ts";
import type { ResultRelay } from "./result-relay.ts";
import type { SqlStatement } from "./sql-statement.ts";
import { typeOid } from "./prepared-statements.ts";
import type { PreparedStatements } from "./prepared-statements.ts";
import { actionOf, NO_REASON } from "./statement-action.ts";
import type { PrepareAction, StatementAction } from "./statement-action.ts";

export interface StatementRunnerParts extends CopyRelayParts {
  readonly reservations: ReservationCalls;
  readonly notifications: NotificationRelay;
  readonly prepared: PreparedStatements;
}

type LocalAction = Exclude<StatementAction, { type: "run" | "execute" | "copy" }>;

/** Does what a gateway does itself, or through other calls than that of the statement. */
export class StatementRunner {
  readonly #parts: StatementRunnerParts;
  readonly #state: ClientState;
  readonly #calls: PoolerCalls;

  constructor(parts: StatementRunnerParts) {
    this.#parts = parts;
    this.#state = parts.state;
    this.#calls = parts.calls;
  }

  /** Runs a statement of a query string. */
  async run(statement: SqlStatement, relay: ResultRelay): Promise<void> {
    const action = actionOf(statement);
    switch (action.type) {
      case "run":
        await this.#calls.execute({ query: statement.text }, action, (payload) =>
          relay.take(payload),
        );
        return;
      case "execute":
        await this.#calls.executeNamed(this.#parts.prepared.get(action.name), action, (payload) =>
          relay.take(payload),
        );
        return;
      case "copy":
        await new CopyRelay(this.#parts, action.direction).run(statement.text);
        return;
      default:
        await this.runLocally(action, statement, relay);
    }
  }

  async runLocally(
    action: LocalAction,
    statement: SqlStatement,
    relay: ResultRelay,
  ): Promise<void> {
    switch (action.type) {
      case "begin":
        this.#state.begin(statement.source, { isImplicit: false });
        await relay.complete("BEGIN");
        return;
      case "commit":
      case "rollback":
        await relay.complete(await this.conclude(action.type, action.chain));
        return;
      case "set":
        await this.#set(action.name, action.value, statement, relay);
        return;
      case "resetAll":
        await this.#onReservation(statement);
        this.#state.resetAll();
        await relay.complete("RESET");
        return;
      case "discardAll":
        await this.#parts.reservations.release({ keepSticky: true });
        await this.#parts.notifications.unlisten(undefined);
        this.#parts.prepared.clear();
        this.#state.resetAll();
        await relay.complete("DISCARD ALL");
        return;
      case "discardTemp":
        if (this.#state.reservation !== undefined) {
          await this.#parts.reservations.discardTempTables();
        }
        await relay.complete("DISCARD TEMP");
        return;
      case "prepare":
        await this.#prepare(action);
        await relay.complete("PREPARE");
        return;
      case "deallocate":
        this.#deallocate(action.name);
        await relay.complete(action.name === undefined ? "DEALLOCATE ALL" : "DEALLOCATE");
        return;
      case "listen":
      case "unlisten":
        await this.#listen(action);
        await relay.complete(action.type.toUpperCase());
        return;
    }
  }

  async #prepare({ name, typeNames, query }: PrepareAction): Promise<void> {
    const { prepared } = this.#parts;
    prepared.requireNew(name);
    const text = { name, query, paramTypes: typeNames.map(typeOid) };
    if (this.#state.isInTransaction) {
      await this.#calls.parse(text);
    }
    prepared.set(text);
  }

  #deallocate(name: string | undefined): void {
    const { prepared } = this.#parts;
    if (name === undefined) {
      prepared.clear();
    } else {
      prepared.delete(prepared.get(name).name);
    }
  }

  /** In a transaction its COMMIT does it. */
  async #listen(
    action: Extract<LocalAction, { readonly type: "listen" | "unlisten" }>,
  ): Promise<void> {
    const { notifications } = this.#parts;
    if (this.#state.isInTransaction) {
      notifications.postpone(action);
    } else if (action.type === "listen") {
      await notifications.listen(action.channel);
    } else {
      await notifications.unlisten(action.channel);
    }
  }

  /** Ends the transaction, and does what was postponed to a COMMIT. Resolves with the tag. */
  async conclude(type: "commit" | "rollback", chain: boolean): Promise<string> {
    const { notifications } = this.#parts;
    let isCommitted = false;
    try {
      const tag = await this.#conclude(type, chain);
      isCommitted = tag === "COMMIT";
      return tag;
    } finally {
      await notifications.settle({ isCommitted });
    }
  }

  async #conclude(type: "commit" | "rollback", chain: boolean): Promise<string> {
    if (this.#state.hasBegun) {
      return await this.#parts.reservations.conclude(type, chain);
    }
    const isCommitted = type === "commit" && this.#state.status !== "E";
    this.#state.conclude({ isCommitted, chain });
    return isCommitted ? "COMMIT" : "ROLLBACK";
  }

  /**
   * A setting is checked by PostgreSQL, where it leaves nothing, and kept here. On a connection that
   * is reserved it is set as the client says, since that one gets no settings with its requests.
   */
  async #set(
    name: string,
    value: string | undefined,
    statement: SqlStatement,
    relay: ResultRelay,
  ): Promise<void> {
    let confirmed = value;
    if (!(await this.#onReservation(statement))) {
      const literal = value === undefined ? "NULL" : quoted(value);
      const query = `SELECT pg_catalog.set_config(${quoted(name)}, ${literal}, TRUE)`;
      confirmed = await this.#calls.value(query, async (payload) => {
        if (payload.$case === "diagnostic") {
          await relay.take(payload);
        }
      });
    }
    this.#state.set(name, value === undefined ? undefined : confirmed);
    await relay.complete(statement.tokens[0]?.value === "reset" ? "RESET" : "SET");
  }

  /** Runs it on the reserved connection, and says whether there is or will be one. */
  async #onReservation(statement: SqlStatement): Promise<boolean> {
    if (this.#state.reservation === undefined && !this.#state.isInTransaction) {
      return false;
    }
    await this.#calls.execute({ query: statement.text }, NO_REASON, () => Promise.resolve());
    return true;
  }
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}
