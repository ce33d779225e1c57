import type { PgwireError } from "@multipooler/pgwire";
import { COPY_INTERRUPT, COPY_INTERRUPTED } from "../input/frontend-message.ts";

/**
 * How a COPY stands in whose middle another message came, which only PostgreSQL can tell what it is:
 * an error in the COPY, or a message on its own behind a COPY that has failed. It waits for that.
 *
 * | state | means                                                        |
 * | ----- | ------------------------------------------------------------ |
 * | none  | no such message has come                                     |
 * | sent  | a CopyFail was sent in its place                             |
 * | hit   | that has ended the COPY: the message was an error in the COPY |
 */
type State = "none" | "sent" | "hit";

/** Finds out what a message in the middle of a COPY is, by a CopyFail in its place. */
export class CopyInterruption {
  #state: State = "none";

  /** Whether it can be tried: once in a unit. */
  get isPossible(): boolean {
    return this.#state === "none";
  }

  /** Whether the message was an error in the COPY. */
  get hasHit(): boolean {
    return this.#state === "hit";
  }

  /** Another unit begins, or has ended. */
  reset(): void {
    this.#state = "none";
  }

  /** Returns what is sent in the place of the message. */
  send(): Buffer {
    this.#state = "sent";
    return COPY_INTERRUPT;
  }

  /** An error comes in the answer. */
  failing({ message, diagnostic }: PgwireError): void {
    // The reason is the pooler's own text, in whatever language the rest is.
    const isHit = (diagnostic?.message ?? message).includes(COPY_INTERRUPTED);
    if (this.#state === "sent" && isHit) {
      this.#state = "hit";
    }
  }
}
