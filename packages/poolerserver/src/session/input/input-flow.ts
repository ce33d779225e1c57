import type { SessionClient } from "@multipooler/query-service";
import type { MessageInput } from "./message-input.ts";

export interface InputFlowOptions {
  readonly client: SessionClient;
  readonly input: MessageInput;
  /** More than this stops the client. */
  readonly maxBytes: number;
}

/** Stops the client's transport while too much of what it has sent waits. */
export class InputFlow {
  readonly #options: InputFlowOptions;
  #isStopped = false;

  constructor(options: InputFlowOptions) {
    this.#options = options;
  }

  /** Whether the transport may go on. */
  takesMore(): boolean {
    const { input, maxBytes } = this.#options;
    this.#isStopped ||= input.keptBytes > maxBytes;
    return !this.#isStopped;
  }

  /** Lets the transport go on once half of the room is free. */
  relieve(): void {
    const { input, maxBytes, client } = this.#options;
    if (this.#isStopped && input.keptBytes <= maxBytes / 2) {
      this.#isStopped = false;
      client.resume();
    }
  }
}
