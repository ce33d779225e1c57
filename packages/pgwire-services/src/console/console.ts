import type { CallOptions, LoginCredentials, LoginRequest } from "@multipooler/query-service";
import type { Clock } from "@multipooler/timing";
import { Refusal } from "../login/refusal.ts";
import type { ConsoleCommand } from "./console-command.ts";
import { ConsoleCredentials } from "./console-credentials.ts";
import type { CredentialSource } from "./console-credentials.ts";
import type { ConsoleOptions } from "./console-options.ts";
import type { ClientLimits, ClientView, ConsoleView } from "./console-view.ts";
import type { Columns, ResultTable } from "./result-table.ts";
import { StatsHistory } from "./stats-history.ts";
import { showTables } from "./tables/show-tables.ts";

/** "admin" may do everything, "viewer" may use SHOW. */
export type ConsoleRole = "admin" | "viewer";

/** What a command answers: rows, or only that it is done. */
export type ConsoleAnswer =
  | { readonly type: "rows"; readonly table: ResultTable; readonly tag: string }
  | { readonly type: "done"; readonly tag: string };

export interface ConsoleParts {
  readonly options: ConsoleOptions;
  readonly limits: ClientLimits;
  readonly clients: () => readonly ClientView[];
  /** Ends a client. False: there is none of that id. */
  readonly endClient: (id: number) => boolean;
  readonly credentials: CredentialSource;
  readonly clock: Clock;
}

/** The admin console of a listener: who may use it, and what its commands do. */
export class Console {
  readonly #parts: ConsoleParts;
  readonly #view: ConsoleView;
  readonly #history: StatsHistory;
  readonly #credentials: ConsoleCredentials;

  constructor(parts: ConsoleParts) {
    const { options, limits, clients, clock, credentials } = parts;
    this.#parts = parts;
    this.#history = new StatsHistory({ pooler: options.pooler, clock });
    this.#credentials = new ConsoleCredentials({
      users: () => [...options.admins, ...options.viewers],
      source: credentials,
      clock,
    });
    const now = (): number => clock.now();
    this.#view = { options, limits, history: this.#history, clients, now };
  }

  get clock(): Clock {
    return this.#parts.clock;
  }

  /** What SHOW VERSION says. */
  get version(): string {
    return this.#parts.options.version;
  }

  /** Begins to remember averages, and credentials for the time when there is no server. */
  open(): void {
    this.#history.open();
    this.#credentials.open();
  }

  async close(): Promise<void> {
    await Promise.all([this.#history.close(), this.#credentials.close()]);
  }

  /** Whether a client that names this database wants the console. */
  isNamed(database: string): boolean {
    return database === this.#parts.options.database;
  }

  /** What a client of the console proves its password against; see {@link ConsoleCredentials}. */
  getCredentials(
    request: LoginRequest,
    options: CallOptions,
  ): Promise<LoginCredentials | undefined> {
    return this.#credentials.get(request, options);
  }

  /** @throws a `Refusal` with 42501 for a role that may not use the console */
  roleOf(user: string): ConsoleRole {
    const { admins, viewers, database } = this.#parts.options;
    if (admins.includes(user)) {
      return "admin";
    }
    if (viewers.includes(user)) {
      return "viewer";
    }
    throw new Refusal("42501", `permission denied for database "${database}"`, {
      detail: `Role "${user}" may not use the admin console of the pooler.`,
    });
  }

  /** The columns of what a command answers; `undefined`: it has no rows. */
  columnsOf(command: ConsoleCommand): Columns | undefined {
    return command.type === "show" ? showTables.get(command.what)?.columns : undefined;
  }

  /**
   * Does what a command says.
   *
   * Rejects with a `Refusal` (42501 where the role may not, 42601 for a table that is none), or with
   * a `PoolerError`.
   */
  async run(
    command: ConsoleCommand,
    { role, signal }: { readonly role: ConsoleRole; readonly signal: AbortSignal },
  ): Promise<ConsoleAnswer> {
    switch (command.type) {
      case "show":
        return this.#show(command.what);
      case "set":
        return { type: "done", tag: "SET" };
      case "transaction":
        return { type: "done", tag: command.tag };
      case "database":
      case "named":
      case "killClient":
      case "reload":
        requireAdmin(role);
        return { type: "done", tag: await this.#act(command, signal) };
    }
  }

  #show(what: string): ConsoleAnswer {
    const source = showTables.get(what);
    if (source === undefined) {
      throw new Refusal("42601", `there is no table "${what}" to show`, {
        hint: "SHOW HELP lists the commands of the console.",
      });
    }
    const { columns } = source;
    return { type: "rows", table: { columns, rows: source.rows(this.#view) }, tag: "SHOW" };
  }

  async #act(
    command: Extract<ConsoleCommand, { type: "database" | "named" | "killClient" | "reload" }>,
    signal: AbortSignal,
  ): Promise<string> {
    const { options, endClient } = this.#parts;
    switch (command.type) {
      case "database":
        await this.#actOn(command.action, command.database, signal);
        return command.action.toUpperCase();
      case "named":
        this.#refuseItself(command.database);
        options.pooler[command.action](command.database);
        return command.action.toUpperCase();
      case "reload":
        await options.reload();
        return "RELOAD";
      case "killClient":
        if (!endClient(command.id)) {
          throw new Refusal("42704", `there is no client with the id ${command.id}`);
        }
        return "KILL_CLIENT";
    }
  }

  async #actOn(
    action: Extract<ConsoleCommand, { type: "database" }>["action"],
    database: string | undefined,
    signal: AbortSignal,
  ): Promise<void> {
    const { pooler } = this.#parts.options;
    this.#refuseItself(database);
    switch (action) {
      case "pause":
        await pooler.pause(database, { signal });
        return;
      case "resume":
        pooler.resume(database);
        return;
      case "reconnect":
        pooler.reconnect(database);
        return;
      case "kill":
        await pooler.kill(database);
    }
  }

  #refuseItself(database: string | undefined): void {
    if (database !== undefined && this.isNamed(database)) {
      throw new Refusal("55000", `"${database}" is the admin console and has no connections`);
    }
  }
}

function requireAdmin(role: ConsoleRole): void {
  switch (role) {
    case "admin":
      return;
    case "viewer":
      throw new Refusal("42501", "this command is for administrators of the pooler", {
        detail: "The role may use SHOW only.",
      });
  }
}
