import { parseBytes, targetBytes } from "@multipooler/pgwire";
import { emptyList } from "../emptied-list.ts";
import type { StatementMessage } from "./statement-message.ts";
import { writeUnit } from "./unit-writing.ts";
import type { WriteStep } from "./unit-writing.ts";

/** What is done to the messages of a unit when it is written, and how long it is then. */
export class UnitSteps {
  #messages: readonly StatementMessage[] = [];
  /** One for each message. */
  readonly #steps: WriteStep[] = [];
  readonly #names: string[] = [];
  /** What the steps insert that do so, in their order. */
  readonly #inserted: Buffer[] = [];
  /** Statements that go ahead to be closed. */
  #closes: readonly string[] = [];
  /** How much of the unit's beginning is left out. */
  #skipped = 0;
  #byteLength = 0;

  get byteLength(): number {
    return this.#byteLength;
  }

  get closes(): readonly string[] {
    return this.#closes;
  }

  begin(byteLength: number, messages: readonly StatementMessage[]): void {
    this.#messages = messages;
    this.#closes = [];
    this.#skipped = 0;
    emptyList(this.#steps, this.#names, this.#inserted);
    this.#byteLength = byteLength;
  }

  /** Lets go of what was written. */
  end(): void {
    this.#messages = [];
    this.#closes = [];
    emptyList(this.#inserted);
  }

  closeFirst(closes: readonly string[]): void {
    this.#closes = closes;
    for (const name of closes) {
      this.#byteLength += targetBytes(Buffer.byteLength(name));
    }
  }

  keep(): void {
    this.#add("keep", "");
  }

  rename({ nameStart, nameEnd }: StatementMessage, name: string): void {
    this.#add("rename", name);
    this.#byteLength += name.length - (nameEnd - nameStart);
  }

  /** What has the name is closed before. */
  closeBefore(message: StatementMessage, name: string): void {
    this.#renameBehind("closeBefore", message, name);
  }

  /** The message's statement is parsed before. */
  parseBefore(message: StatementMessage, name: string): void {
    this.#renameBehind("parseBefore", message, name);
    const { text = "", parameterTypes = [] } = message.statement ?? {};
    this.#byteLength += parseBytes(name.length, Buffer.byteLength(text), parameterTypes);
  }

  /** These messages go before one that stays as it is. */
  insertBefore(inserted: Buffer): void {
    this.#add("insertBefore", "");
    this.#insert(inserted);
  }

  /** The same where the name in the message changes. */
  insertAndRename(message: StatementMessage, name: string, inserted: Buffer): void {
    this.#add("insertAndRename", name);
    this.#byteLength += name.length - (message.nameEnd - message.nameStart);
    this.#insert(inserted);
  }

  /** A statement that does nothing has the name before, in place of what had it. */
  emptyBefore(message: StatementMessage, name: string): void {
    this.#renameBehind("emptyBefore", message, name);
    this.#byteLength += parseBytes(name.length, 0, []);
  }

  /** The same ahead of a message that stays as it is. */
  occupyBefore(name: string): void {
    this.#add("occupyBefore", name);
    const length = Buffer.byteLength(name);
    this.#byteLength += targetBytes(length) + parseBytes(length, 0, []);
  }

  append({ restoring }: StatementMessage): void {
    this.#add("append", "");
    this.#byteLength += restoring?.bytes.length ?? 0;
  }

  /** Whether the message is the first that is sent. */
  isFirst({ start }: StatementMessage): boolean {
    return start === this.#skipped;
  }

  /** To be called for the first message that is sent. */
  leaveOut({ start, end }: StatementMessage): void {
    this.#add("leaveOut", "");
    this.#skipped = end;
    this.#byteLength -= end - start;
  }

  /** Writes the unit. Returns its end. */
  writeTo(target: Buffer, start: number, bytes: Buffer): number {
    return writeUnit(target, start, {
      bytes,
      messages: this.#messages,
      steps: this.#steps,
      names: this.#names,
      inserted: this.#inserted,
      closes: this.#closes,
      skipped: this.#skipped,
    });
  }

  /** The same, by itself. */
  written(bytes: Buffer): Buffer {
    const target = Buffer.allocUnsafe(this.#byteLength);
    this.writeTo(target, 0, bytes);
    return target;
  }

  #renameBehind(step: WriteStep, message: StatementMessage, name: string): void {
    this.#add(step, name);
    this.#byteLength += name.length - (message.nameEnd - message.nameStart);
    this.#byteLength += targetBytes(name.length);
  }

  #insert(inserted: Buffer): void {
    this.#inserted.push(inserted);
    this.#byteLength += inserted.length;
  }

  #add(step: WriteStep, name: string): void {
    this.#steps.push(step);
    this.#names.push(name);
  }
}
