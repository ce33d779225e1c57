/** What a notification that is kept costs beyond its bytes. */
const OVERHEAD_BYTES = 64;

/** Notifications in their order that somebody cannot take yet, within a bound. */
export class KeptNotifications {
  readonly #maxBytes: number;
  #messages: Uint8Array[] = [];
  #bytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  get size(): number {
    return this.#messages.length;
  }

  get isEmpty(): boolean {
    return this.#messages.length === 0;
  }

  /** Returns false where it would be more than may be kept. */
  add(message: Uint8Array): boolean {
    this.#bytes += message.length + OVERHEAD_BYTES;
    if (this.#bytes > this.#maxBytes) {
      return false;
    }
    this.#messages.push(message);
    return true;
  }

  /** Takes all of them out. They count until {@link passedOn}. */
  takeAll(): Uint8Array[] {
    return this.#messages.splice(0);
  }

  passedOn(message: Uint8Array): void {
    this.#bytes -= message.length + OVERHEAD_BYTES;
  }

  clear(): void {
    this.#messages = [];
    this.#bytes = 0;
  }
}
