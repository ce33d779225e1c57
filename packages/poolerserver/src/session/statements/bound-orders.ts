import type { MessageInput } from "../input/message-input.ts";
import { textEnd } from "../input/frontend-message.ts";
import type { HeldSession } from "./held-session.ts";
import type { Order } from "./order.ts";

/** The commands that are bound and not executed, by portal. Most sessions have none. */
export class BoundOrders {
  readonly #input: MessageInput;
  readonly #byPortal = new Map<string, Order>();

  /** @param input where the message stands that is being read */
  constructor(input: MessageInput) {
    this.#input = input;
  }

  /** The current Bind binds this, or a text that is no command. */
  bind(order: Order | undefined): void {
    if (order !== undefined) {
      this.#byPortal.set(this.#portal(), order);
    } else if (this.#byPortal.size > 0) {
      this.#byPortal.delete(this.#portal());
    }
  }

  /** What the current Execute runs. A command runs once. */
  take(): Order | undefined {
    if (this.#byPortal.size === 0) {
      return undefined;
    }
    const portal = this.#portal();
    const order = this.#byPortal.get(portal);
    this.#byPortal.delete(portal);
    return order;
  }

  /** Portals end with their transaction. */
  forget({ transaction }: Pick<HeldSession, "transaction">): void {
    if (this.#byPortal.size > 0 && transaction === "I") {
      this.#byPortal.clear();
    }
  }

  /** The name that begins the current message. */
  #portal(): string {
    const { chunk, bodyStart, bodyEnd } = this.#input;
    return chunk.toString("latin1", bodyStart, textEnd(chunk, bodyStart, bodyEnd));
  }
}
