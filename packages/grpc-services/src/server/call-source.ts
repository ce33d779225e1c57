import type { MessageSource } from "./rpc.ts";

/** What reads the messages of a call of grpc-js. */
export interface ReadableCall<Message> {
  /** Called when the stream has room; leads to one message, or to the end. */
  _read(size: number): void;
  on(event: "data", listener: (message: Message) => void): unknown;
  once(event: "end", listener: () => void): unknown;
}

export interface CallSourceOptions<Message> {
  readonly call: ReadableCall<Message>;
  /** Aborts when the call ends early. */
  readonly signal: AbortSignal;
}

/**
 * Reads from a call what its handler asks for, and nothing ahead: grpc-js itself would put sixteen
 * messages aside, of whatever size.
 */
export class CallSource<Message> implements MessageSource<Message> {
  readonly #signal: AbortSignal;
  readonly #read: () => void;
  /** The stream has asked for a message before the handler did. */
  #isReadDue = false;
  #hasEnded = false;
  #wanted: PromiseWithResolvers<Message | undefined> | undefined;

  constructor({ call, signal }: CallSourceOptions<Message>) {
    this.#signal = signal;
    const read = call._read.bind(call);
    this.#read = () => read(0);
    call._read = () => this.#onRoom();
    call.on("data", (message) => this.#resolve(message));
    call.once("end", () => {
      this.#hasEnded = true;
      this.#resolve(undefined);
    });
    signal.addEventListener("abort", () => this.#wanted?.reject(signal.reason), { once: true });
  }

  async next(): Promise<Message | undefined> {
    this.#signal.throwIfAborted();
    if (this.#hasEnded) {
      return undefined;
    }
    const wanted = Promise.withResolvers<Message | undefined>();
    this.#wanted = wanted;
    if (this.#isReadDue) {
      this.#isReadDue = false;
      this.#read();
    }
    return await wanted.promise;
  }

  #onRoom(): void {
    if (this.#wanted === undefined) {
      this.#isReadDue = true;
    } else {
      this.#read();
    }
  }

  #resolve(message: Message | undefined): void {
    const wanted = this.#wanted;
    this.#wanted = undefined;
    wanted?.resolve(message);
  }
}
