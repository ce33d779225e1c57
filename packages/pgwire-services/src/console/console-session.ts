import { encodeReadyForQuery } from "@multipooler/pgwire";
import {
  encodeCommandTag,
  encodeDiagnostic,
  encodeParameterTypes,
  encodePoolerError,
  MalformedMessageError,
} from "@multipooler/query-service";
import type { Session, SessionClient, SessionState } from "@multipooler/query-service";
import { isPoolerError, Refusal } from "../login/refusal.ts";
import { parseCommands } from "./console-command.ts";
import type { ConsoleCommand } from "./console-command.ts";
import type { Console, ConsoleRole } from "./console.ts";
import { readMessage } from "./console-message.ts";
import type { ConsoleMessage, Named } from "./console-message.ts";
import { encodeColumns, encodeValues } from "./result-encoding.ts";
import type { Format } from "./result-encoding.ts";
import type { Columns, ResultTable } from "./result-table.ts";

/** What a client may send ahead of the command that runs. */
const MAX_INPUT_BYTES = 65_536;
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
  rows: readonly (readonly (string | number | null)[])[] | undefined;
}

export interface ConsoleSessionOptions {
  readonly console: Console;
  readonly role: ConsoleRole;
  readonly client: SessionClient;
}

/**
 * The conversation of one client with the console. It takes the simple and the extended protocol, and
 * runs one command at a time. There are no transactions; drivers that begin one are told that they are in one.
 */
export class ConsoleSession implements Session {
  readonly parameters: ReadonlyMap<string, string>;
  readonly #options: ConsoleSessionOptions;
  readonly #gone = Promise.withResolvers<void>();
  readonly #statements = new Map<string, ConsoleCommand | undefined>();
  readonly #portals = new Map<string, Portal>();
  #input: Buffer[] = [];
  #inputBytes = 0;
  #isBehind = false;
  #room: PromiseWithResolvers<void> | undefined;
  #running: { readonly abort: AbortController; readonly sinceMs: number } | undefined;
  #isPumping = false;
  /** After an error nothing is answered before the next Sync. */
  #skips = false;
  #isInTransaction = false;
  /** It leaves when the command that runs is over. */
  #isLeaving = false;
  #hasEnded = false;

  constructor(options: ConsoleSessionOptions) {
    this.#options = options;
    this.parameters = new Map([
      ["server_version", `${options.console.version} (admin console)`],
      ["server_encoding", "UTF8"],
      ["client_encoding", "UTF8"],
      ["DateStyle", "ISO, MDY"],
      ["TimeZone", "UTC"],
      ["integer_datetimes", "on"],
      ["standard_conforming_strings", "on"],
    ]);
  }

  write(messages: Uint8Array): boolean {
    if (this.#hasEnded) {
      return true;
    }
    this.#input.push(Buffer.from(messages.buffer, messages.byteOffset, messages.byteLength));
    this.#inputBytes += messages.length;
    void this.#pump();
    this.#isBehind = this.#inputBytes > MAX_INPUT_BYTES;
    return !this.#isBehind;
  }

  drained(): void {
    this.#room?.resolve();
    this.#room = undefined;
  }

  cancel(): void {
    const message = "canceling statement due to user request";
    this.#running?.abort.abort(new Refusal("57014", message));
  }

  async end(when: "now" | "boundary"): Promise<void> {
    if (when === "now") {
      this.#end(undefined);
    } else {
      this.#isLeaving = true;
      this.#running?.abort.abort(shutdown());
      this.#leaveIfIdle();
    }
    await this.#gone.promise;
  }

  describe(): SessionState {
    if (this.#hasEnded) {
      return { type: "ended" };
    }
    return this.#running === undefined
      ? { type: "idle" }
      : { type: "running", sinceMs: this.#running.sinceMs };
  }

  /** Runs what has come, message by message. Never rejects. */
  async #pump(): Promise<void> {
    if (this.#isPumping) {
      return;
    }
    this.#isPumping = true;
    while (!this.#hasEnded) {
      const messages = this.#input.shift();
      if (messages === undefined) {
        break;
      }
      await this.#runAll(messages);
      this.#inputBytes -= messages.length;
      this.#relieve();
    }
    this.#isPumping = false;
    this.#leaveIfIdle();
  }

  async #runAll(messages: Buffer): Promise<void> {
    for (let rest = messages; rest.length > 0 && !this.#hasEnded; ) {
      try {
        const { message, end } = readMessage(rest);
        rest = rest.subarray(end);
        await this.#take(message);
      } catch (error) {
        // What is no message leaves nothing that could be told apart behind it.
        this.#end(errorOf(error, "FATAL"));
      }
    }
  }

  async #take(message: ConsoleMessage): Promise<void> {
    if (message.type === "terminate") {
      this.#end(undefined);
      return;
    }
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
    await this.#room?.promise;
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
    const { console, role } = this.#options;
    const abort = new AbortController();
    this.#running = { abort, sinceMs: console.clock.now() };
    try {
      const answer = await console.run(command, { role, signal: abort.signal });
      if (command.type === "transaction") {
        this.#isInTransaction = command.action === "begin";
      }
      return { table: answer.type === "rows" ? answer.table : undefined, tag: answer.tag };
    } catch (error) {
      throw abort.signal.aborted ? abort.signal.reason : error;
    } finally {
      this.#running = undefined;
    }
  }

  #columnsOf(command: ConsoleCommand | undefined): Columns | undefined {
    return command === undefined ? undefined : this.#options.console.columnsOf(command);
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
      throw new Refusal("53400", `the admin console keeps ${MAX_NAMES} prepared statements at most`);
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
    if (!this.#hasEnded && !this.#options.client.write(bytes)) {
      this.#room ??= Promise.withResolvers();
    }
  }

  /** The client may send more. */
  #relieve(): void {
    if (this.#isBehind && this.#inputBytes <= MAX_INPUT_BYTES) {
      this.#isBehind = false;
      this.#options.client.resume();
    }
  }

  #leaveIfIdle(): void {
    if (this.#isLeaving && !this.#isPumping) {
      this.#end(errorOf(shutdown(), "FATAL"));
    }
  }

  #end(lastMessage: Uint8Array | undefined): void {
    if (this.#hasEnded) {
      return;
    }
    if (lastMessage !== undefined) {
      this.#send(lastMessage);
    }
    this.#hasEnded = true;
    this.#input = [];
    this.#running?.abort.abort(new Refusal("57P01", "the client has left"));
    this.drained();
    this.#options.client.ended(undefined);
    this.#gone.resolve();
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

function shutdown(): Refusal {
  return new Refusal("57P01", "terminating connection due to administrator command");
}

function errorOf(error: unknown, severity: "ERROR" | "FATAL"): Uint8Array {
  if (error instanceof Refusal) {
    return encodeDiagnostic({ ...error.diagnostic, severity });
  }
  if (error instanceof MalformedMessageError) {
    const refusal = new Refusal("08P01", "invalid message format");
    return encodeDiagnostic({ ...refusal.diagnostic, severity });
  }
  if (isPoolerError(error)) {
    return encodePoolerError(error, severity);
  }
  const reason = error instanceof Error ? error.message : String(error);
  return encodeDiagnostic({ ...new Refusal("XX000", reason).diagnostic, severity });
}
