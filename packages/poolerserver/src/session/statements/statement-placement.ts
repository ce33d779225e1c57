import { parseBytes, targetBytes, writeClose, writeParse } from "@multipooler/pgwire";
import type { HeldStatements } from "../../statements/held-statements.ts";
import type { StatementFailure } from "../../statements/statement-failure.ts";
import type {
  RegisteredStatement,
  StatementRegistry,
} from "../../statements/statement-registry.ts";
import { DROPPED, NOBODY } from "./pooler-name.ts";
import type { ClientStatements } from "./client-statements.ts";
import type { StatementMessage } from "./statement-message.ts";
import { StatementSetup } from "./statement-setup.ts";

/** Type byte and length of a message. */
const HEADER_BYTES = 5;
const PARSE_COMPLETE = 0x31;
const CLOSE_COMPLETE = 0x33;

/** How a message is written. */
type Step = "keep" | "rename" | "closeBefore" | "parseBefore" | "emptyBefore" | "leaveOut";

const NO_TYPES: readonly number[] = [];

/** Where a unit goes. */
export interface UnitPlace {
  readonly held: HeldStatements;
  /** See `parseConditions`. */
  readonly conditions: string;
  /** The unnamed statement of the unit is to be found by the next one, so that it gets a name. */
  readonly routesUnnamed: boolean;
}

export interface StatementPlacementOptions {
  readonly registry: StatementRegistry;
  readonly statements: ClientStatements;
  /** As whom the server knows the session. */
  readonly user: string;
}

/**
 * Brings the prepared statements that a unit names onto the backend that it was granted, and its names
 * into those of the registry, while the unit is copied into the write. One object serves all units of
 * a session.
 */
export class StatementPlacement {
  readonly #registry: StatementRegistry;
  readonly #statements: ClientStatements;
  readonly #user: string;
  #held: HeldStatements | undefined;
  #ddlCount = 0;
  #messages: readonly StatementMessage[] = [];
  /** One for each message. */
  readonly #steps: Step[] = [];
  readonly #names: string[] = [];
  /** Statements that go ahead to be closed. */
  #closes: readonly string[] = [];
  /** How much of the unit's beginning is left out. */
  #skipped = 0;
  #byteLength = 0;
  /** By ParseComplete or CloseComplete to come: whether it is the client's, and what was parsed. */
  readonly #repliesToClient: boolean[] = [];
  readonly #parsed: (RegisteredStatement | undefined)[] = [];
  readonly #generations: number[] = [];
  #replies = 0;
  /** The server has done more than to parse and to close. */
  #hasProgress = false;
  /** Statements that are used as the backend has them. */
  readonly #reused: RegisteredStatement[] = [];
  #setups: StatementSetup[] = [];
  /** Names of clients that something was given. */
  #occupied: string[] = [];
  #conditions = "";
  #routesUnnamed = false;
  /** Parse messages of the client that are left out: their ParseComplete is to be made. */
  leftOut = 0;

  constructor(options: StatementPlacementOptions) {
    this.#registry = options.registry;
    this.#statements = options.statements;
    this.#user = options.user;
  }

  get byteLength(): number {
    return this.#byteLength;
  }

  /** What has to be sent before the unit. */
  get setups(): readonly StatementSetup[] {
    return this.#setups;
  }

  /** Whether an error that comes now may be that of a statement which the backend had. */
  get isSuspect(): boolean {
    return this.#reused.length > 0 && !this.#hasProgress;
  }

  /** Whether the unit can be sent again after it has failed because of what the backend had. */
  get isRepeatable(): boolean {
    return this.isSuspect && !this.#repliesToClient.includes(true);
  }

  /** A unit of these bytes and messages goes to the backend of `held`. */
  place(bytes: Uint8Array, messages: readonly StatementMessage[], where: UnitPlace): void {
    this.#begin(where);
    this.#rewrite(bytes, messages, true);
    if (messages.length === 0 && !where.held.owesCloses) {
      return;
    }
    const closes = where.held.takeOwed();
    if (this.#reused.some(({ name }) => closes.includes(name))) {
      // What is parsed takes the room of what is used.
      where.held.owe(closes);
      this.place(bytes, messages, where);
      return;
    }
    this.#closes = closes;
    for (const name of closes) {
      this.#byteLength += targetBytes(Buffer.byteLength(name));
      this.#repliesToClient.unshift(false);
      this.#parsed.unshift(undefined);
      this.#generations.unshift(0);
    }
  }

  /** The same with more of a unit that was placed. Returns the bytes to send. */
  placeMore(bytes: Buffer, messages: readonly StatementMessage[]): Uint8Array {
    if (messages.length === 0 || this.#held === undefined) {
      return bytes;
    }
    this.#closes = [];
    this.#skipped = 0;
    this.#rewrite(bytes, messages, false);
    const rewritten = Buffer.allocUnsafe(this.#byteLength);
    this.writeTo(rewritten, 0, bytes);
    return rewritten;
  }

  /** Writes the unit as it was placed. Returns its end. */
  writeTo(target: Buffer, start: number, bytes: Buffer): number {
    let at = start;
    for (const name of this.#closes) {
      at = writeClose(target, at, "S", name);
    }
    let from = this.#skipped;
    for (const [index, message] of this.#messages.entries()) {
      const step = this.#steps[index];
      if (step === "leaveOut" || step === "keep") {
        continue;
      }
      at += bytes.copy(target, at, from, message.start);
      const name = this.#names[index] ?? "";
      if (step === "emptyBefore") {
        at = writeParse(target, at, { name, sql: "", parameterTypes: NO_TYPES });
        from = message.start;
        continue;
      }
      if (step !== "rename") {
        at = writeClose(target, at, "S", name);
      }
      const { statement } = message;
      if (step === "parseBefore" && statement !== undefined) {
        const { text: sql, parameterTypes } = statement;
        at = writeParse(target, at, { name, sql, parameterTypes });
      }
      at = writeRenamed(target, at, bytes, message, name);
      from = message.nameEnd;
    }
    return at + bytes.copy(target, at, from);
  }

  /** A message of the answer begins. Returns whether it is the client's. */
  reply(code: number): boolean {
    if (code !== PARSE_COMPLETE && code !== CLOSE_COMPLETE) {
      this.#hasProgress = true;
      return true;
    }
    const index = this.#replies;
    this.#replies += 1;
    const parsed = this.#parsed[index];
    if (parsed !== undefined) {
      const generation = this.#generations[index] ?? 0;
      this.#held?.add(parsed, { generation, ddlCount: this.#ddlCount });
      this.#registry.noteAccepted(parsed, this.#user, this.#ddlCount);
    }
    const isForClient = this.#repliesToClient[index] ?? true;
    if (isForClient) {
      this.#statements.confirm();
    }
    return isForClient;
  }

  /** The unit has ended on its backend. */
  settle(): void {
    if (this.#replies < this.#closes.length) {
      this.#held?.owe(this.#closes.slice(this.#replies));
    }
    if (this.#occupied.length > 0) {
      this.#held?.owe(this.#occupied);
      this.#occupied = [];
    }
    this.#held = undefined;
    this.#messages = [];
    this.#setups = [];
    this.#closes = [];
  }

  /** Something that was used as the backend had it has failed: it is parsed again before its next use. */
  suspect(failure: StatementFailure): void {
    for (const statement of this.#reused) {
      if (failure === "outdated") {
        this.#registry.outdated(statement, statement.generation);
      }
      this.#held?.suspect(statement.name);
    }
    if (failure === "missing") {
      this.#held?.doubt();
    }
  }

  #begin({ held, conditions, routesUnnamed }: UnitPlace): void {
    this.#held = held;
    this.#conditions = conditions;
    this.#routesUnnamed = routesUnnamed;
    this.#ddlCount = this.#registry.ddlCount;
    this.#closes = [];
    this.#skipped = 0;
    this.#repliesToClient.length = 0;
    this.#parsed.length = 0;
    this.#generations.length = 0;
    this.#replies = 0;
    this.#hasProgress = false;
    this.#reused.length = 0;
    this.#setups = [];
    this.leftOut = 0;
  }

  #rewrite(bytes: Uint8Array, messages: readonly StatementMessage[], isFirst: boolean): void {
    this.#messages = messages;
    this.#steps.length = 0;
    this.#names.length = 0;
    this.#byteLength = bytes.length;
    for (const message of messages) {
      if (message.isUnnamed && !this.#routesUnnamed) {
        this.#keep(message);
      } else {
        this.#placeMessage(message, isFirst);
      }
    }
  }

  #keep({ kind }: StatementMessage): void {
    this.#add("keep", "");
    if (kind !== "use") {
      this.#expect(true, undefined);
    }
  }

  #placeMessage(message: StatementMessage, isFirst: boolean): void {
    const { kind, statement, isParse } = message;
    if (isParse) {
      this.#expect(true, undefined);
    }
    const registered = statement?.registeredIn(this.#registry, this.#conditions);
    switch (kind) {
      case "plain":
        this.#keep(message);
        return;
      case "duplicate":
        this.#placeDuplicate(message);
        return;
      case "missing":
        this.#rename(message, "closeBefore", message.nameStart === message.nameEnd ? "" : NOBODY);
        this.#expect(false, undefined);
        return;
      case "taken":
        this.#add("keep", "");
        this.#occupy(message.ownName);
        return;
      case "parse":
        this.#placeParse(message, registered, isFirst);
        return;
      case "use":
        this.#placeUse(message, registered);
        return;
      case "close":
        this.#rename(message, "rename", NOBODY);
        this.#expect(true, undefined);
        return;
      case "prepare":
        this.#rename(message, "rename", registered?.name ?? NOBODY);
        return;
      case "execute":
        this.#placeExecute(message, registered);
        return;
      case "bring":
        this.#add("keep", "");
        this.#bring(message);
        return;
      case "deallocate":
        this.#rename(message, "rename", DROPPED);
        this.#setups.push(new StatementSetup({ name: DROPPED, sql: "", parameterTypes: NO_TYPES }));
    }
  }

  #placeParse(
    message: StatementMessage,
    registered: RegisteredStatement | undefined,
    isFirst: boolean,
  ): void {
    if (registered === undefined) {
      return;
    }
    if (isFirst && message.start === this.#skipped && this.#isHeld(registered)) {
      this.#add("leaveOut", "");
      this.#skipped = message.end;
      this.#byteLength -= message.end - message.start;
      this.leftOut += 1;
      this.#statements.confirm();
      return;
    }
    this.#held?.makeRoom(registered);
    this.#rename(message, "closeBefore", registered.name);
    this.#expect(false, undefined);
    this.#expect(true, registered);
  }

  /** Has something have the name, so that the server refuses the message. */
  #placeDuplicate({ ownName }: StatementMessage): void {
    this.#add("emptyBefore", ownName);
    this.#byteLength += parseBytes(Buffer.byteLength(ownName), 0, NO_TYPES);
    this.#expect(false, undefined);
    this.#expect(true, undefined);
    this.#occupied.push(ownName);
  }

  #occupy(name: string): void {
    this.#occupied.push(name);
    this.#setups.push(new StatementSetup({ name, sql: "", parameterTypes: NO_TYPES }));
  }

  #placeUse(message: StatementMessage, registered: RegisteredStatement | undefined): void {
    const { statement } = message;
    if (registered === undefined || statement === undefined) {
      return;
    }
    const { name } = registered;
    if (this.#isHeld(registered)) {
      this.#rename(message, "rename", name);
      return;
    }
    this.#held?.makeRoom(registered);
    this.#rename(message, "parseBefore", name);
    this.#byteLength += parseBytes(
      name.length,
      Buffer.byteLength(statement.text),
      statement.parameterTypes,
    );
    this.#expect(false, undefined);
    this.#expect(false, registered);
  }

  #placeExecute(message: StatementMessage, registered: RegisteredStatement | undefined): void {
    const { statement } = message;
    if (registered === undefined || statement === undefined) {
      return;
    }
    const { name } = registered;
    this.#rename(message, "rename", name);
    if (!this.#isHeld(registered)) {
      const held = this.#held;
      const { generation } = registered;
      const ddlCount = this.#ddlCount;
      held?.makeRoom(registered);
      this.#setups.push(
        new StatementSetup({
          name,
          sql: statement.text,
          parameterTypes: statement.parameterTypes,
          prepare: statement.prepare,
          onDone: () => held?.add(registered, { generation, ddlCount }),
        }),
      );
    }
  }

  #bring({ statement, ownName }: StatementMessage): void {
    if (statement !== undefined) {
      const { text: sql, parameterTypes, prepare } = statement;
      this.#setups.push(new StatementSetup({ name: ownName, sql, parameterTypes, prepare }));
    }
  }

  /** Whether the backend has the statement when the message comes that is being placed. */
  #isHeld(registered: RegisteredStatement): boolean {
    if (this.#parsed.includes(registered) || this.#reused.includes(registered)) {
      return true;
    }
    if (this.#held?.use(registered, this.#ddlCount) !== true) {
      return false;
    }
    this.#reused.push(registered);
    return true;
  }

  #rename({ nameStart, nameEnd }: StatementMessage, step: Step, name: string): void {
    this.#add(step, name);
    this.#byteLength += name.length - (nameEnd - nameStart);
    if (step !== "rename") {
      this.#byteLength += targetBytes(name.length);
    }
  }

  #add(step: Step, name: string): void {
    this.#steps.push(step);
    this.#names.push(name);
  }

  #expect(isForClient: boolean, parsed: RegisteredStatement | undefined): void {
    this.#repliesToClient.push(isForClient);
    this.#parsed.push(parsed);
    this.#generations.push(parsed?.generation ?? 0);
  }
}

/** Writes a message up to the end of its name, which becomes `name`. */
function writeRenamed(
  target: Buffer,
  start: number,
  bytes: Buffer,
  { start: from, nameStart, nameEnd }: StatementMessage,
  name: string,
): number {
  const length = bytes.readInt32BE(from + 1) + name.length - (nameEnd - nameStart);
  target[start] = bytes[from] ?? 0;
  target.writeInt32BE(length, start + 1);
  let at = start + HEADER_BYTES;
  at += bytes.copy(target, at, from + HEADER_BYTES, nameStart);
  return at + target.write(name, at, "latin1");
}
