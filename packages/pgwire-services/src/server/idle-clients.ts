import { PeriodicTask } from "@multipooler/timing";
import type { Clock } from "@multipooler/timing";
import type { Conversation } from "../conversation/conversation.ts";
import { Refusal } from "../login/refusal.ts";

export interface IdleClientsOptions {
  readonly conversations: () => Iterable<Conversation>;
  /** How long a client may be silent between two statements, outside a transaction; 0: for ever. */
  readonly timeoutMs: () => number;
  readonly clock: Clock;
}

/** When a client was last seen to do something. */
interface Sign {
  readonly messages: number;
  readonly atMs: number;
}

/** A client leaves late by an eighth of its time at most. */
const LOOKS_PER_TIMEOUT = 8;

/** Sends those clients away that have been silent for too long, with PostgreSQL's words. */
export class IdleClients {
  readonly #options: IdleClientsOptions;
  readonly #signs = new WeakMap<Conversation, Sign>();
  readonly #task: PeriodicTask;

  constructor(options: IdleClientsOptions) {
    this.#options = options;
    this.#task = new PeriodicTask({
      clock: options.clock,
      run: () => {
        const timeoutMs = options.timeoutMs();
        if (timeoutMs === 0) {
          return Promise.resolve(undefined);
        }
        this.#look(timeoutMs);
        return Promise.resolve(Math.ceil(timeoutMs / LOOKS_PER_TIMEOUT));
      },
    });
  }

  open(): void {
    this.#task.open();
  }

  /** The time has changed. */
  poke(): void {
    this.#task.poke();
  }

  async close(): Promise<void> {
    await this.#task.close();
  }

  #look(timeoutMs: number): void {
    const { conversations, clock } = this.#options;
    const now = clock.monotonic();
    for (const conversation of conversations()) {
      const { messages, state } = conversation;
      const sign = this.#signs.get(conversation);
      if (sign?.messages !== messages || state?.type !== "idle") {
        this.#signs.set(conversation, { messages, atMs: now });
      } else if (now - sign.atMs >= timeoutMs) {
        const message = "terminating connection due to idle-session timeout";
        conversation.dismiss(new Refusal("57P05", message));
      }
    }
  }
}
