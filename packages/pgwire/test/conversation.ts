import type { ResultSink } from "@multipooler/query-service";
import { ConnectionActivity } from "../src/connection/connection-activity.ts";
import { Answer } from "../src/connection/answer.ts";
import { Dialogue } from "../src/connection/dialogue.ts";
import { RequestQueue } from "../src/connection/request-queue.ts";
import type { Request } from "../src/connection/request.ts";
import { ServerParameters } from "../src/connection/server-parameters.ts";
import { pgwireError } from "../src/error.ts";
import { ByteInput } from "../src/messages/byte-input.ts";
import { ask } from "./ask.ts";

/** A session whose server says what the test feeds it. */
export class Conversation {
  readonly replies: Buffer[] = [];
  /** Messages that came between requests. */
  readonly unasked: Uint8Array[] = [];
  readonly dialogue: Dialogue;
  readonly #input = new ByteInput();
  readonly #queue: RequestQueue;
  #progressed = Promise.withResolvers<void>();

  constructor() {
    this.#queue = new RequestQueue({
      socket: { writable: true, congested: false, write: () => undefined },
    });
    this.dialogue = new Dialogue({
      activity: new ConnectionActivity(),
      input: this.#input,
      maxMessageBytes: 65_536,
      queue: this.#queue,
      answer: new Answer({
        reply: (bytes) => this.replies.push(bytes),
        progressed: () => this.#progressed.resolve(),
      }),
      session: {
        key: { processId: 1, secretKey: Buffer.alloc(4) },
        parameters: new ServerParameters(),
        transactionStatus: "I",
      },
      unasked: (message) => this.unasked.push(message),
    });
  }

  send(request: Request): void {
    this.#queue.push(request);
    this.#queue.flush();
  }

  /** Sends a query. Its outcome is a value: `undefined`, or the error. */
  ask(sink: ResultSink): Promise<unknown> {
    return ask(this, "select", sink).then(
      () => undefined,
      (error: unknown) => error,
    );
  }

  /** Reads what the server says, waiting for receivers that are behind. */
  async hear(...chunks: readonly Buffer[]): Promise<void> {
    for (const chunk of chunks) {
      this.#input.push(chunk);
      while (!this.#read()) {
        await this.#progressed.promise;
        this.#progressed = Promise.withResolvers();
      }
    }
  }

  #read(): boolean {
    try {
      return this.dialogue.read();
    } catch (error) {
      throw pgwireError(error);
    }
  }
}
