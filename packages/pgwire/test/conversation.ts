import { Dialogue } from "../src/dialogue.ts";
import { MessageReader } from "../src/message-reader.ts";
import { RequestQueue } from "../src/request-queue.ts";
import type { ResponseSink } from "../src/response.ts";
import { SimpleQuery } from "../src/simple-query.ts";

/** A session whose server says what the test feeds it. */
export class Conversation {
  readonly replies: Buffer[] = [];
  readonly dialogue: Dialogue;
  readonly #reader = new MessageReader({ maxMessageBytes: 65_536 });
  readonly #queue: RequestQueue;

  constructor() {
    this.#queue = new RequestQueue({
      socket: { writable: true, congested: false, write: () => undefined },
    });
    this.dialogue = new Dialogue({
      queue: this.#queue,
      session: {
        key: { processId: 1, secretKey: Buffer.alloc(4) },
        parameters: new Map(),
        transactionStatus: "I",
      },
    });
  }

  /** Sends a query. What becomes of it is a value: `undefined`, or the error. */
  ask(sink: ResponseSink): Promise<unknown> {
    const reply = (bytes: Buffer): number => this.replies.push(bytes);
    const request = new SimpleQuery({ sql: "select", sink, reply });
    this.#queue.push(request);
    this.#queue.flush();
    return request.settled.catch((error: unknown) => error);
  }

  async hear(...chunks: readonly Buffer[]): Promise<void> {
    for (const chunk of chunks) {
      this.#reader.push(chunk);
      for (let frame = this.#reader.next(); frame !== undefined; frame = this.#reader.next()) {
        await this.dialogue.frame(frame);
      }
    }
  }
}
