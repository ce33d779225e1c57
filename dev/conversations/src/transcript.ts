import { THE_END, comparable } from "./allowed-differences.ts";
import { close, copyFail, sync } from "./frontend.ts";

const MARKS = 7;
const MARK = "3";
const READY = "Z";
const ERROR = "E";
/** The last message of an answer to a Parse, Bind, Close, Describe or Execute. */
const REPLIES: ReadonlySet<string> = new Set("123TnCIs");

/**
 * Sent behind messages of any kind, so that the end of their answer is seen: it is {@link MARKS} times
 * CloseComplete and ReadyForQuery, in every state that a connection can be in.
 */
const settlement: Buffer = Buffer.concat([
  sync,
  ...Array.from({ length: MARKS }, () => close("S", "no such statement")),
  sync,
]);

/** What is sent to see the end of an answer. @param mayCopy a COPY FROM STDIN may be under way */
export function settling(mayCopy: boolean): Buffer {
  return mayCopy ? Buffer.concat([copyFail("settled"), settlement]) : settlement;
}

/** What a client was sent, one line a message, without what may differ. */
export class Transcript {
  /** The settings that the client knows. */
  readonly parameters: Map<string, string> = new Map();
  /** What came on channels, with the channel. */
  readonly notifications: string[] = [];
  /** What names the session in a cancel request. */
  key: Buffer = Buffer.alloc(0);
  /** By setting, what was reported of it since the last call of {@link takeReports}. */
  #reports = new Map<string, string[]>();
  #lines: string[] = [];
  #partial: Buffer = Buffer.alloc(0);
  #hasEnded = false;
  #change = Promise.withResolvers<void>();

  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  push(bytes: Uint8Array): void {
    this.#partial =
      this.#partial.length === 0 ? Buffer.from(bytes) : Buffer.concat([this.#partial, bytes]);
    for (;;) {
      const size = this.#partial.length < 5 ? 0 : this.#partial.readInt32BE(1) + 1;
      if (size === 0 || this.#partial.length < size) {
        break;
      }
      this.#take(this.#partial.subarray(0, size));
      this.#partial = this.#partial.subarray(size);
    }
    this.#wake();
  }

  end(): void {
    if (!this.#hasEnded) {
      this.#hasEnded = true;
      this.#lines.push(this.#partial.length === 0 ? THE_END : "the end inside a message");
      this.#wake();
    }
  }

  /** Waits for the first ReadyForQuery, or the end. */
  async loggedIn(signal: AbortSignal): Promise<void> {
    await this.#until(() => this.#lines.at(-1)?.startsWith(READY) === true, signal);
  }

  /** The same. Returns what came. */
  async login(signal: AbortSignal): Promise<readonly string[]> {
    await this.loggedIn(signal);
    this.#reports = new Map();
    return this.#takeLines(signal);
  }

  /** Waits for the answer to {@link settling}, or the end. Returns what came since the last call. */
  async settled(signal: AbortSignal): Promise<readonly string[]> {
    await this.#until(() => this.#isSettled(), signal);
    return this.#takeLines(signal);
  }

  /** Waits for a notice that says `word`, or an error, or the end. Returns whether it is the notice. */
  async noticed(word: string, signal: AbortSignal): Promise<boolean> {
    const isNotice = (line: string): boolean => line.startsWith("N") && line.includes(word);
    await this.#until(
      () => this.#lines.some((line) => isNotice(line) || line.startsWith(ERROR)),
      signal,
    );
    return this.#lines.some(isNotice);
  }

  /** Waits for the replies to so many messages of a group, or an error, or the end. */
  async replied(count: number, signal: AbortSignal): Promise<void> {
    await this.#until(
      () =>
        this.#lines.some((line) => line.startsWith(ERROR)) ||
        this.#lines.filter((line) => REPLIES.has(line.slice(0, 1))).length >= count,
      signal,
    );
  }

  /** Waits for so many notifications in all, or the end. */
  async notified(count: number, signal: AbortSignal): Promise<void> {
    await this.#until(() => this.notifications.length >= count, signal);
  }

  /** What was reported of settings since the last call, by name. */
  takeReports(): readonly string[] {
    const lines = [...this.#reports].map(([name, values]) => `${name}=${values.join(", then ")}`);
    this.#reports = new Map();
    return lines.toSorted();
  }

  async #until(isDone: () => boolean, signal: AbortSignal): Promise<void> {
    const wake = (): void => this.#wake();
    signal.addEventListener("abort", wake);
    while (!isDone() && !this.#hasEnded && !signal.aborted) {
      await this.#change.promise;
      this.#change = Promise.withResolvers();
    }
    signal.removeEventListener("abort", wake);
  }

  #takeLines(signal: AbortSignal): readonly string[] {
    const lines = this.#lines;
    this.#lines = [];
    return signal.aborted ? [...lines, "and then nothing"] : lines;
  }

  #isSettled(): boolean {
    const tail = this.#lines.slice(-MARKS - 1);
    return (
      tail.length === MARKS + 1 &&
      tail.at(-1)?.startsWith(READY) === true &&
      tail.slice(0, -1).every((line) => line === MARK)
    );
  }

  #take(message: Buffer): void {
    switch (message.toString("latin1", 0, 1)) {
      case "S":
        this.#report(message);
        return;
      case "A":
        this.notifications.push(message.toString("latin1", 9).split("\0").join(" "));
        return;
      case "K":
        this.key = Buffer.from(message.subarray(5));
        return;
      default:
        this.#lines.push(comparable(message));
    }
  }

  #report(message: Buffer): void {
    const [name = "", value = ""] = message.toString("latin1", 5).split("\0");
    this.parameters.set(name, value);
    const values = this.#reports.get(name);
    if (values === undefined) {
      this.#reports.set(name, [value]);
    } else {
      values.push(value);
    }
  }

  #wake(): void {
    this.#change.resolve();
  }
}
