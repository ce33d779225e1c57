import { decodeDiagnostic } from "@multipooler/query-service";
import type { PoolerError, Session, SessionClient } from "@multipooler/query-service";
import { fail } from "node:assert/strict";

/** Bytes of a message before its body: type and length. */
const HEADER_BYTES = 5;

/**
 * A client of a session that has logged in. It keeps the type of each message, and of errors their
 * severity and SQLSTATE: `D`, `C`, `ERROR 42P01`, `Z`.
 */
export class SessionTalk implements SessionClient {
  readonly messages: string[] = [];
  /** How often the session said that it has ended. */
  ends = 0;
  endReason: PoolerError | undefined;
  #unread: Buffer = Buffer.alloc(0);
  #session: Session | undefined;
  #sign = Promise.withResolvers<void>();

  get session(): Session {
    if (this.#session === undefined) {
      fail("the session has not been opened");
    }
    return this.#session;
  }

  attach(session: Session): void {
    this.#session = session;
  }

  write(messages: Uint8Array): boolean {
    this.#unread = Buffer.concat([this.#unread, messages]);
    while (this.#unread.length >= HEADER_BYTES) {
      const size = 1 + this.#unread.readInt32BE(1);
      if (this.#unread.length < size) {
        break;
      }
      this.messages.push(nameOf(this.#unread.subarray(0, size)));
      this.#unread = this.#unread.subarray(size);
    }
    this.#notify();
    return true;
  }

  resume(): void {
    this.#notify();
  }

  ended(reason: PoolerError | undefined): void {
    this.ends += 1;
    this.endReason = reason;
    this.#notify();
  }

  /** Sends a Query. */
  send(sql: string): void {
    const text = Buffer.from(`${sql}\0`);
    const header = Buffer.alloc(HEADER_BYTES);
    header.write("Q", "latin1");
    header.writeInt32BE(text.length + 4, 1);
    this.session.write(Buffer.concat([header, text]));
  }

  /** Sends a Query, and resolves with the messages up to its ReadyForQuery, or to the end. */
  async ask(sql: string): Promise<readonly string[]> {
    const from = this.messages.length;
    this.send(sql);
    await this.until(() => this.ends > 0 || this.messages.includes("Z", from));
    return this.messages.slice(from);
  }

  /** Resolves once `isTrue`, looking again at each sign of the session. */
  async until(isTrue: () => boolean): Promise<void> {
    while (!isTrue()) {
      await this.#sign.promise;
    }
  }

  #notify(): void {
    this.#sign.resolve();
    this.#sign = Promise.withResolvers();
  }
}

function nameOf(message: Buffer): string {
  const type = message.toString("latin1", 0, 1);
  if (type !== "E") {
    return type;
  }
  const { severity, code } = decodeDiagnostic(message);
  return `${severity} ${code}`;
}
