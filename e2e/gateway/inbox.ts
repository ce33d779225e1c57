import type { FrontendMessage } from "./frontend-message.ts";

/** More than this many messages wait only until the transport has stopped reading. */
const HIGH_WATER = 64;

/** What a client has said and nobody has read yet. */
export class Inbox {
  readonly #messages: FrontendMessage[] = [];
  readonly #onRoom: () => void;
  #arrived = Promise.withResolvers<void>();
  #isFull = false;
  #isClosed = false;

  /** `onRoom` is called when there is room again after `put` returned false. */
  constructor({ onRoom }: { readonly onRoom: () => void }) {
    this.#onRoom = onRoom;
  }

  put(messages: Iterable<FrontendMessage>): boolean {
    this.#messages.push(...messages);
    this.#isFull = this.#messages.length > HIGH_WATER;
    this.#wake();
    return !this.#isFull;
  }

  /** Nothing more will come, and what waits is not read. */
  close(): void {
    this.#isClosed = true;
    this.#wake();
  }

  /** The next message; `undefined` once it is closed. */
  async next(): Promise<FrontendMessage | undefined> {
    const message = await this.first();
    this.#messages.shift();
    this.#makeRoom();
    return message;
  }

  /** The same, but it stays. */
  async first(): Promise<FrontendMessage | undefined> {
    while (!this.#isClosed) {
      const [message] = this.#messages;
      if (message !== undefined) {
        return message;
      }
      await this.#arrived.promise;
    }
    return undefined;
  }

  #wake(): void {
    this.#arrived.resolve();
    this.#arrived = Promise.withResolvers<void>();
  }

  #makeRoom(): void {
    if (this.#isFull && this.#messages.length === 0) {
      this.#isFull = false;
      this.#onRoom();
    }
  }
}
