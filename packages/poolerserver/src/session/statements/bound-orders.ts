import type { MessageInput } from "../input/message-input.ts";
import { textEnd } from "../input/frontend-message.ts";
import type { HeldSession } from "./held-session.ts";
import type { Order } from "./order.ts";

/** The commands that are bound and not executed, by portal. Most sessions have none. */
export class BoundOrders {
  readonly #input: MessageInput;
  #byPortal: Map<string, Order> | undefined;

  /** @param input where the message stands that is being read */
  constructor(input: MessageInput) {
    this.#input = input;
  }

  /** The current Bind binds this, or a text that is no command. */
  bind(order: Order | undefined): void {
    if (order !== undefined) {
      this.#byPortal ??= new Map();
      this.#byPortal.set(this.#portal(), order);
    } else if (this.#byPortal !== undefined) {
      this.#drop(this.#byPortal, this.#portal());
    }
  }

  /** What the current Execute runs. A command runs once. */
  take(): Order | undefined {
    if (this.#byPortal === undefined) {
      return undefined;
    }
    const portal = this.#portal();
    const order = this.#byPortal.get(portal);
    this.#drop(this.#byPortal, portal);
    return order;
  }

  /** Portals end with their transaction. */
  forget({ transaction }: Pick<HeldSession, "transaction">): void {
    if (transaction === "I") {
      this.#byPortal = undefined;
    }
  }

  #drop(byPortal: Map<string, Order>, portal: string): void {
    byPortal.delete(portal);
    if (byPortal.size === 0) {
      this.#byPortal = undefined;
    }
  }

  /** The name that begins the current message. */
  #portal(): string {
    const { chunk, bodyStart, bodyEnd } = this.#input;
    return chunk.toString("latin1", bodyStart, textEnd(chunk, bodyStart, bodyEnd));
  }
}
