import type { ConnectionBudget, ConnectionSlot } from "@multipooler/controller-api";

/** What a {@link ServerBudget} is made of. */
export interface ServerBudgetOptions {
  /** The configured bound, which holds whatever the server grants. */
  readonly maxConnections: number;
  /** Places that are taken from the start and for good: the manager's own connections. */
  readonly reserved: number;
}

/**
 * The budget of one process at one server. Its limit is 0 until the server told what it grants;
 * when the limit shrinks below what is used, nothing is taken away, but nothing is given out until
 * enough came back.
 */
export class ServerBudget implements ConnectionBudget {
  readonly #maxConnections: number;
  #limit = 0;
  #used: number;

  constructor({ maxConnections, reserved }: ServerBudgetOptions) {
    this.#maxConnections = maxConnections;
    this.#used = reserved;
  }

  get limit(): number {
    return this.#limit;
  }

  get used(): number {
    return this.#used;
  }

  /** Adopts what the server grants to ordinary roles. */
  adoptServerLimit(connections: number): void {
    this.#limit = Math.max(0, Math.min(connections, this.#maxConnections));
  }

  tryAcquire(): ConnectionSlot | undefined {
    if (this.#used >= this.#limit) {
      return undefined;
    }
    this.#used += 1;
    let held = true;
    return {
      release: () => {
        if (!held) {
          return;
        }
        held = false;
        this.#used -= 1;
      },
    };
  }
}
