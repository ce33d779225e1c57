import { encodeReadyForQuery } from "@multipooler/pgwire";
import { encodeCommandTag, encodeParameterTypes } from "@multipooler/query-service";
import { Refusal } from "../login/refusal.ts";
import { parseCommands } from "./console-command.ts";
import type { ConsoleCommand } from "./console-command.ts";
import { errorOf } from "./console-error.ts";
import type { ConsoleAnswer } from "./console.ts";
import type { ConsoleMessage, Named } from "./console-message.ts";
import { encodeColumns, encodeValues } from "./result-encoding.ts";
import type { Format } from "./result-encoding.ts";
import type { Columns, ResultTable, Value } from "./result-table.ts";

/** Prepared statements and portals, each. */
const MAX_NAMES = 1000;
const PARSE_COMPLETE = Buffer.from("1\0\0\0\x04");
const BIND_COMPLETE = Buffer.from("2\0\0\0\x04");
const CLOSE_COMPLETE = Buffer.from("3\0\0\0\x04");
const NO_DATA = Buffer.from("n\0\0\0\x04");
const PORTAL_SUSPENDED = Buffer.from("s\0\0\0\x04");
const EMPTY_QUERY = Buffer.from("I\0\0\0\x04");

/** A statement that is executed: its rows as far as they were not sent. */
interface Portal {
  readonly command: ConsoleCommand | undefined;
  readonly formats: readonly Format[];
  rows: readonly (readonly Value[])[] | undefined;
}

export interface ConsoleDialogueOptions {
  readonly send: (bytes: Uint8Array) => void;
  /** Rejects with a `Refusal` or a `PoolerError`. */
  readonly run: (command: ConsoleCommand) => Promise<ConsoleAnswer>;
  /** The columns of what a command answers; `undefined`: it has no rows. */
  readonly columnsOf: (command: ConsoleCommand) => Columns | undefined;
}

/** What is answered to which message, in the simple and the extended protocol. */
export class ConsoleDialogue {
  readonly #options: ConsoleDialogueOptions;
  readonly #statements = new Map<string, ConsoleCommand | undefined>();
  readonly #portals = new Map<string, Portal>();
  /** After an error nothing is answered before the next Sync. */
  #skips = false;
  #isInTransaction = false;

  constructor(options: ConsoleDialogueOptions) {
    this.#options = options;
  }

  /** Answers one message, with an error if it comes to that. Never rejects. */
  async take(message: Exclude<ConsoleMessage, { type: "terminate" }>): Promise<void> {
    if (message.type === "sync") {
      this.#skips = false;
      this.#portals.clear();
      this.#ready();
      return;
    }
    if (this.#skips) {
      return;
    }
    try {
      await this.#answer(message);
    } catch (error) {
      this.#send(errorOf(error, "ERROR"));
      this.#skips = message.type !== "query";
    }
    if (message.type === "query") {
      this.#ready();
    }
  }

  async #answer(message: Exclude<ConsoleMessage, { type: "sync" | "terminate" }>): Promise<void> {
    switch (message.type) {
      case "query":
        await this.#runText(message.sql);
        return;
      case "parse":
        this.#define(this.#statements, message.name, singleCommand(message.sql));
        this.#send(PARSE_COMPLETE);
        return;
      case "bind":
        this.#bind(message);
        return;
      case "describe":
        this.#describe(message.what);
        return;
      case "execute":
        await this.#execute(this.#portal(message.portal), message.maxRows);
        return;
      case "close":
        (message.what.type === "portal" ? this.#portals : this.#statements).delete(
          message.what.name,
        );
        this.#send(CLOSE_COMPLETE);
        return;
      case "flush":
      case "copy":
    }
  }

  #bind({
    statement,
    portal,
    parameters,
    formats,
  }: Extract<ConsoleMessage, { type: "bind" }>): void {
    const command = this.#statement(statement);
    if (parameters !== 0) {
      const message = `bind message supplies ${parameters} parameters, but 0 are required`;
      throw new Refusal("08P01", message);
    }
    this.#define(this.#portals, portal, { command, formats, rows: undefined });
    this.#send(BIND_COMPLETE);
  }

  async #runText(sql: string): Promise<void> {
    const commands = parseCommands(sql);
    if (commands.length === 0) {
      this.#send(EMPTY_QUERY);
    }
    for (const command of commands) {
      const { table, tag } = await this.#run(command);
      if (table !== undefined) {
        this.#send(encodeColumns(table.columns, []));
        this.#sendRows(table.columns, table.rows, []);
      }
      this.#send(encodeCommandTag(tag));
    }
  }

  #describe({ type, name }: Named): void {
    const portal = type === "portal" ? this.#portal(name) : undefined;
    const command = portal === undefined ? this.#statement(name) : portal.command;
    if (type === "statement") {
      this.#send(encodeParameterTypes([]));
    }
    const columns = this.#columnsOf(command);
    this.#send(columns === undefined ? NO_DATA : encodeColumns(columns, portal?.formats ?? []));
  }

  async #execute(portal: Portal, maxRows: number): Promise<void> {
    const { command, formats } = portal;
    if (command === undefined) {
      this.#send(EMPTY_QUERY);
      return;
    }
    let tag = "SHOW";
    if (portal.rows === undefined) {
      const answer = await this.#run(command);
      portal.rows = answer.table?.rows ?? [];
      ({ tag } = answer);
    }
    const count = maxRows > 0 ? maxRows : portal.rows.length;
    const rows = portal.rows.slice(0, count);
    portal.rows = portal.rows.slice(count);
    this.#sendRows(this.#columnsOf(command) ?? {}, rows, formats);
    this.#send(portal.rows.length > 0 ? PORTAL_SUSPENDED : encodeCommandTag(tag));
  }

  async #run(
    command: ConsoleCommand,
  ): Promise<{ readonly table: ResultTable | undefined; readonly tag: string }> {
    const answer = await this.#options.run(command);
    if (command.type === "transaction") {
      this.#isInTransaction = command.action === "begin";
    }
    return { table: answer.type === "rows" ? answer.table : undefined, tag: answer.tag };
  }

  #columnsOf(command: ConsoleCommand | undefined): Columns | undefined {
    return command === undefined ? undefined : this.#options.columnsOf(command);
  }

  #statement(name: string): ConsoleCommand | undefined {
    if (!this.#statements.has(name)) {
      throw new Refusal("26000", `prepared statement "${name}" does not exist`);
    }
    return this.#statements.get(name);
  }

  #portal(name: string): Portal {
    const portal = this.#portals.get(name);
    if (portal === undefined) {
      throw new Refusal("34000", `portal "${name}" does not exist`);
    }
    return portal;
  }

  #define<T>(names: Map<string, T>, name: string, value: T): void {
    if (names.size >= MAX_NAMES && !names.has(name)) {
      throw new Refusal(
        "53400",
        `the admin console keeps ${MAX_NAMES} prepared statements at most`,
      );
    }
    names.set(name, value);
  }

  #sendRows(columns: Columns, rows: ResultTable["rows"], formats: readonly Format[]): void {
    for (const row of rows) {
      this.#send(encodeValues(columns, row, formats));
    }
  }

  #ready(): void {
    this.#send(encodeReadyForQuery(this.#isInTransaction ? "T" : "I"));
  }

  #send(bytes: Uint8Array): void {
    this.#options.send(bytes);
  }
}

/** `undefined`: the text has no command. */
function singleCommand(sql: string): ConsoleCommand | undefined {
  const [command, ...others] = parseCommands(sql);
  if (others.length > 0) {
    throw new Refusal("42601", "cannot insert multiple commands into a prepared statement");
  }
  return command;
}
