import type { Binding, PreparedText, ResultEvent, Statement } from "@multipooler/query-service";
import type { EventRequest, ExtendedStep, RequestEnd } from "../connection/request.ts";
import {
  bindBytes,
  executeBytes,
  NO_BINDING,
  parseBytes,
  SYNC_BYTES,
  targetBytes,
  writeBind,
  writeClose,
  writeDescribe,
  writeExecute,
  writeParse,
  writeSync,
} from "../messages/extended-writer.ts";
import { assertBinding, assertRange, assertText } from "./extended-limits.ts";
import type { EventReceiver } from "./simple-query.ts";

/**
 * A statement of the extended protocol: run with parameters, run through SQL that names it, only
 * parsed, or only described. A portal is described where there is a `binding`.
 */
export type ExtendedStatement =
  | Extract<Statement, { type: "prepared" | "sqlExecute" | "parse" }>
  | ({ readonly type: "describe"; readonly binding: Binding | undefined } & PreparedText);

/** What an {@link ExtendedUnit} does before it uses its statement. */
export interface ExtendedPreface {
  /** Names of other statements that are closed. */
  readonly closes: readonly string[];
  /** Whether the statement is parsed. A named one is closed before, which is no error if there is none. */
  readonly parses: boolean;
}

/** The server takes no longer message. */
const MAX_MESSAGE_BYTES = 0x3fff_ffff;
const UNNAMED = "";
const PARSE_ONLY: ExtendedPreface = { closes: [], parses: true };

/** The messages that run a portal. */
interface Execution {
  /** SQL that is parsed as the unnamed statement and bound instead of the statement itself. */
  readonly sql: string | undefined;
  readonly portal: string;
  readonly binding: Binding;
  readonly describes: boolean;
  /** `undefined`: it is not executed. */
  readonly maxRows: number | undefined;
}

/**
 * One statement of the extended protocol, answered as events, in one write:
 *
 * | type       | messages                                              |
 * | ---------- | ----------------------------------------------------- |
 * | prepared   | Parse, Bind, Describe where asked for, Execute, Sync  |
 * | sqlExecute | Parse; Parse of the SQL, Bind, Describe, Execute, Sync |
 * | parse      | Parse, Sync                                           |
 * | describe   | Parse, Describe, Sync; of a portal Parse, Bind, Describe, Sync |
 *
 * With a `name` the server keeps the statement, and {@link arrange} says whether it has to be parsed.
 */
export class ExtendedUnit implements EventRequest {
  readonly answer = "events";
  readonly #statement: ExtendedStatement;
  readonly #name: string;
  readonly #receiver: EventReceiver;
  readonly #execution: Execution | undefined;
  readonly #parseBytes: number;
  /** Of all but the preface. */
  readonly #restBytes: number;
  #preface = PARSE_ONLY;
  #byteLength: number;

  /** @throws INVALID_ARGUMENT that names the field, the value and the limit */
  constructor(options: {
    readonly statement: ExtendedStatement;
    readonly receiver: EventReceiver;
    /** In ASCII. Default: the unnamed statement. */
    readonly name?: string | undefined;
  }) {
    const { statement, receiver, name = UNNAMED } = options;
    this.#statement = statement;
    this.#name = name;
    this.#receiver = receiver;
    assertText(statement);
    this.#execution = executionOf(statement, name);
    const close = name === UNNAMED ? 0 : targetBytes(name.length);
    this.#parseBytes =
      close + parseBytes(name.length, Buffer.byteLength(statement.sql), statement.parameterTypes);
    this.#restBytes = this.#useBytes() + SYNC_BYTES;
    this.#byteLength = this.#parseBytes + this.#restBytes;
    assertRange("the size of the statement", this.#byteLength, MAX_MESSAGE_BYTES);
  }

  get byteLength(): number {
    return this.#byteLength;
  }

  /** Sets what comes first. To be called before it is sent. Without it the statement is parsed. */
  arrange(preface: ExtendedPreface): void {
    this.#preface = preface;
    let bytes = this.#restBytes + (preface.parses ? this.#parseBytes : 0);
    for (const name of preface.closes) {
      bytes += targetBytes(name.length);
    }
    this.#byteLength = bytes;
  }

  writeTo(target: Buffer, start: number): number {
    const name = this.#name;
    const { closes, parses } = this.#preface;
    let at = start;
    for (const closed of closes) {
      at = writeClose(target, at, "S", closed);
    }
    if (parses) {
      const { sql, parameterTypes } = this.#statement;
      at = name === UNNAMED ? at : writeClose(target, at, "S", name);
      at = writeParse(target, at, { name, sql, parameterTypes });
    }
    if (this.#execution !== undefined) {
      at = writeExecution(target, at, name, this.#execution);
    } else if (this.#statement.type === "describe") {
      at = writeDescribe(target, at, "S", name);
    }
    return writeSync(target, at);
  }

  event(event: ResultEvent): Promise<void> | undefined {
    return this.#receiver.event(event);
  }

  step(step: ExtendedStep): void {
    this.#receiver.step?.(step);
  }

  described(parameters: Uint8Array): void {
    this.#receiver.described?.(parameters);
  }

  notified(message: Uint8Array): void {
    this.#receiver.notified?.(message);
  }

  settle(end: RequestEnd): void {
    this.#receiver.settle(end);
  }

  #useBytes(): number {
    if (this.#execution !== undefined) {
      return executionBytes(this.#name, this.#execution);
    }
    return this.#statement.type === "describe" ? targetBytes(this.#name.length) : 0;
  }
}

function executionOf(statement: ExtendedStatement, name: string): Execution | undefined {
  switch (statement.type) {
    case "prepared": {
      const { portal = UNNAMED, describe, maxRows } = statement;
      assertBinding(statement);
      assertRange("maxRows", maxRows, 0x7fff_ffff);
      return { sql: undefined, portal, binding: statement, describes: describe, maxRows };
    }
    case "sqlExecute": {
      const sql = `${statement.prefix}"${name}"${statement.suffix}`;
      return { sql, portal: UNNAMED, binding: NO_BINDING, describes: true, maxRows: 0 };
    }
    case "describe": {
      const { binding } = statement;
      if (binding === undefined) {
        return undefined;
      }
      assertBinding(binding);
      return { sql: undefined, portal: UNNAMED, binding, describes: true, maxRows: undefined };
    }
    case "parse":
      return undefined;
  }
}

function executionBytes(name: string, { sql, portal, binding, ...asked }: Execution): number {
  const portalBytes = Buffer.byteLength(portal);
  let bytes = portal === UNNAMED ? 0 : targetBytes(portalBytes);
  if (sql === undefined) {
    bytes += bindBytes(portalBytes + name.length, binding);
  } else {
    bytes += parseBytes(0, Buffer.byteLength(sql), []) + bindBytes(portalBytes, binding);
  }
  bytes += asked.describes ? targetBytes(portalBytes) : 0;
  return asked.maxRows === undefined ? bytes : bytes + executeBytes(portalBytes);
}

function writeExecution(
  target: Buffer,
  start: number,
  name: string,
  { sql, portal, binding, describes, maxRows }: Execution,
): number {
  let at = start;
  if (sql !== undefined) {
    at = writeParse(target, at, { name: UNNAMED, sql, parameterTypes: [] });
  }
  if (portal !== UNNAMED) {
    // A transaction may have it from an earlier Bind.
    at = writeClose(target, at, "P", portal);
  }
  at = writeBind(target, at, { portal, name: sql === undefined ? name : UNNAMED, binding });
  if (describes) {
    at = writeDescribe(target, at, "P", portal);
  }
  return maxRows === undefined ? at : writeExecute(target, at, portal, maxRows);
}
