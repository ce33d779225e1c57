import type { SessionClient } from "@multipooler/query-service";
import { MessageBoundary } from "./message-boundary.ts";

/** What a piece that is kept costs besides its bytes. */
const PIECE_COST_BYTES = 100;

/**
 * The way to the client. What it cannot take is kept, up to a bound, in the order in which it came.
 */
export class ClientOutput {
  readonly #client: SessionClient;
  readonly #maxHeldBytes: number;
  readonly #boundary = new MessageBoundary();
  #held: Uint8Array[] = [];
  #heldBytes = 0;
  #isBehind = false;
  #isClosed = false;

  constructor(options: { readonly client: SessionClient; readonly maxHeldBytes: number }) {
    this.#client = options.client;
    this.#maxHeldBytes = options.maxHeldBytes;
  }

  /** The client has not taken everything, or wants no more for now. */
  get isBehind(): boolean {
    return this.#isBehind;
  }

  /** More is kept than may be. */
  get isOverfull(): boolean {
    return this.#heldBytes > this.#maxHeldBytes;
  }

  /** Passes bytes on, or keeps them. Returns false while the client is behind. */
  write(bytes: Uint8Array): boolean {
    if (this.#isClosed) {
      return true;
    }
    if (this.#isBehind) {
      // A copy: a view would keep a whole chunk of the backend in memory.
      this.#held.push(Uint8Array.from(bytes));
      this.#heldBytes += bytes.length + PIECE_COST_BYTES;
    } else {
      this.#give(bytes);
    }
    return !this.#isBehind;
  }

  /** The client has room again: gives it what was kept, for as long as it takes it. */
  drained(): void {
    this.#isBehind = false;
    while (!this.#isBehind) {
      const bytes = this.#held.shift();
      if (bytes === undefined) {
        return;
      }
      this.#heldBytes -= bytes.length + PIECE_COST_BYTES;
      this.#give(bytes);
    }
  }

  /**
   * Writes the last message, and nothing after it. What is kept goes before it; of more than may be
   * kept, only the rest of the message that the client has the beginning of. Left out where the
   * client would take it for a part of a message that is not complete.
   */
  close(lastMessage: Uint8Array | undefined): void {
    if (this.#isClosed) {
      return;
    }
    if (lastMessage !== undefined) {
      this.#giveHeld();
      if (this.#boundary.missing === 0) {
        this.#give(lastMessage);
      }
    }
    this.#isClosed = true;
    this.#isBehind = false;
    this.#held = [];
    this.#heldBytes = 0;
  }

  #giveHeld(): void {
    const all = Buffer.concat(this.#held);
    if (!this.isOverfull) {
      this.#give(all);
      return;
    }
    let at = 0;
    while (this.#boundary.missing > 0 && at < all.length) {
      const end = at + this.#boundary.missing;
      this.#give(all.subarray(at, end));
      at = end;
    }
  }

  #give(bytes: Uint8Array): void {
    if (bytes.length > 0) {
      this.#boundary.advance(bytes);
      this.#isBehind = !this.#client.write(bytes);
    }
  }
}
