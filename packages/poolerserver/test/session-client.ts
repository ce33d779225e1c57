import { decodeDiagnostic, decodeCommandTag, decodeNotification } from "@multipooler/query-service";
import type { PoolerError, Session, SessionClient } from "@multipooler/query-service";

/**
 * A client of a session. Each message of the server becomes a short text: its type, and of the
 * telling ones what they say, e.g. `D 1|null`, `C SELECT 1`, `E 42703`, `Z I`.
 */
export class TestClient implements SessionClient {
  readonly messages: string[] = [];
  /** What the session answered for `write`. */
  wantsMore = true;
  /** Whether it takes what it is given without complaint. */
  isReading = true;
  isEnded = false;
  endReason: PoolerError | undefined;
  resumes = 0;
  bytes = 0;
  #session: Session | undefined;
  #partial: Buffer = Buffer.alloc(0);
  #taken = 0;
  readonly #waiters = new Set<() => void>();

  get session(): Session {
    if (this.#session === undefined) {
      throw new Error("the session is not open");
    }
    return this.#session;
  }

  attach(session: Session): void {
    this.#session = session;
  }

  write(messages: Uint8Array): boolean {
    if (this.isEnded) {
      throw new Error("something was written after the end");
    }
    this.bytes += messages.length;
    this.#partial = Buffer.concat([this.#partial, messages]);
    for (;;) {
      const size = this.#partial.length < 5 ? 0 : this.#partial.readInt32BE(1) + 1;
      if (size === 0 || this.#partial.length < size) {
        break;
      }
      this.messages.push(wordsOf(this.#partial.subarray(0, size)));
      this.#partial = this.#partial.subarray(size);
    }
    this.#notify();
    return this.isReading;
  }

  resume(): void {
    this.resumes += 1;
    this.wantsMore = true;
    this.#notify();
  }

  ended(reason: PoolerError | undefined): void {
    if (this.isEnded) {
      throw new Error("it ended twice");
    }
    this.isEnded = true;
    this.endReason = reason;
    this.#notify();
  }

  /** Reads again. */
  read(): void {
    this.isReading = true;
    this.session.drained();
  }

  /** Sends messages in one write. */
  send(...messages: readonly Uint8Array[]): void {
    this.wantsMore = this.session.write(Buffer.concat(messages));
  }

  /** Sends messages and waits for `count` ReadyForQuery, or the end. Returns what came. */
  async ask(messages: Uint8Array | readonly Uint8Array[], count = 1): Promise<readonly string[]> {
    this.send(...(messages instanceof Uint8Array ? [messages] : messages));
    return await this.answers(count);
  }

  /** Waits for `count` further ReadyForQuery, or the end. Returns what came since the last call. */
  async answers(count = 1): Promise<readonly string[]> {
    const end = (): number => nthReady(this.messages, this.#taken, count);
    await this.until(() => end() >= 0 || this.isEnded);
    const from = this.#taken;
    this.#taken = end() >= 0 ? end() + 1 : this.messages.length;
    return this.messages.slice(from, this.#taken);
  }

  /** Waits until `isTrue`, looking again at each sign of life. */
  async until(isTrue: () => boolean): Promise<void> {
    while (!isTrue()) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#waiters.add(resolve);
      await promise;
    }
  }

  #notify(): void {
    for (const wake of this.#waiters) {
      wake();
    }
    this.#waiters.clear();
  }
}

function nthReady(messages: readonly string[], from: number, count: number): number {
  let found = 0;
  for (let index = from; index < messages.length; index += 1) {
    found += messages[index]?.startsWith("Z") === true ? 1 : 0;
    if (found === count) {
      return index;
    }
  }
  return -1;
}

function wordsOf(bytes: Buffer): string {
  const type = String.fromCharCode(bytes[0] ?? 0);
  switch (type) {
    case "A": {
      const { channel, payload } = decodeNotification(bytes);
      return `A ${channel} ${payload}`;
    }
    case "C":
      return `C ${decodeCommandTag(bytes)}`;
    case "D":
      return `D ${valuesOf(bytes).join("|")}`;
    case "E": {
      const { code, severity } = decodeDiagnostic(bytes);
      return severity === "ERROR" ? `E ${code}` : `${severity} ${code}`;
    }
    case "Z":
      return `Z ${bytes.toString("latin1", 5)}`;
    case "d":
      return `d ${bytes.toString("utf8", 5)}`;
    default:
      return type;
  }
}

function valuesOf(row: Buffer): string[] {
  const values: string[] = [];
  let at = 7;
  for (let count = row.readInt16BE(5); count > 0; count -= 1) {
    const length = row.readInt32BE(at);
    values.push(length < 0 ? "null" : row.toString("utf8", at + 4, at + 4 + length));
    at += 4 + Math.max(0, length);
  }
  return values;
}

/** The messages that a client got, as `TestClient` words them. */
export function said(words: string): string[] {
  return words.split(", ");
}
