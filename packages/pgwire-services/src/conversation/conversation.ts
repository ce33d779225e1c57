import type { Duplex } from "node:stream";
import { FrontendFraming, PgwireError, compactChunk } from "@multipooler/pgwire";
import { encodeDiagnostic } from "@multipooler/query-service";
import type { PoolerError, Session, SessionClient, SessionState } from "@multipooler/query-service";
import type { StallWatch } from "@multipooler/timing";
import { Refusal } from "../login/refusal.ts";
import { ClientOutput } from "./client-output.ts";
import type { OutputOwner } from "./client-output.ts";

export interface ConversationOptions {
  readonly socket: Duplex;
  readonly maxMessageBytes: number;
  /** Finds clients that take nothing. */
  readonly stalls: StallWatch;
  /** The client took nothing for too long of what a statement or a transaction waits with, and leaves. */
  readonly onStalled: () => void;
  /** Nothing more comes from the session; the socket is being ended. */
  readonly onEnded: (reason: PoolerError | undefined) => void;
}

const TERMINATE: Buffer = Buffer.from("X\0\0\0\u0004");
/** A message whose length cannot be: has the session end with FATAL once it is through with what came before. */
const BROKEN_MESSAGE: Buffer = Buffer.from("?\0\0\0\0");

/**
 * A client that is logged in: passes whole messages to its session, and what the session answers to
 * the socket. Neither side is read while the other does not take more.
 */
export class Conversation implements SessionClient, OutputOwner {
  readonly #socket: Duplex;
  readonly #framing: FrontendFraming;
  readonly #output: ClientOutput;
  readonly #onEnded: ConversationOptions["onEnded"];
  readonly #onStalled: ConversationOptions["onStalled"];
  #session: Session | undefined;
  #hasEnded = false;
  /** The client said something after which nothing can be told apart. */
  #isDeaf = false;
  #messages = 0;
  /** The last message of the client was a Terminate. */
  #hasSaidGoodbye = false;

  constructor(options: ConversationOptions) {
    this.#socket = options.socket;
    this.#onEnded = options.onEnded;
    this.#onStalled = options.onStalled;
    this.#framing = new FrontendFraming({ maxMessageBytes: options.maxMessageBytes });
    this.#output = new ClientOutput({
      socket: options.socket,
      stalls: options.stalls,
      owner: this,
    });
  }

  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  /** Changes with each run of messages that comes. */
  get messages(): number {
    return this.#messages;
  }

  /** What the session is doing; `undefined` before it is open. */
  get state(): SessionState | undefined {
    return this.#session?.describe();
  }

  /** Sends what goes before the session's own messages, and begins to read. */
  start(session: Session, greeting: Uint8Array): void {
    this.#session = session;
    if (this.#hasEnded) {
      return;
    }
    this.#output.write(greeting);
    this.#socket.on("data", (chunk: Buffer) => this.#onData(chunk));
    this.#socket.resume();
  }

  write(messages: Uint8Array): boolean {
    return this.#output.write(messages);
  }

  resume(): void {
    if (!this.#isDeaf) {
      this.#socket.resume();
    }
  }

  ended(reason: PoolerError | undefined): void {
    this.#hasEnded = true;
    this.#output.end();
    this.#onEnded(reason);
  }

  cancel(): void {
    this.#session?.cancel();
  }

  /** Ends the session as `Session.end` does, and resolves when nothing of it is left. */
  async end(when: "now" | "boundary"): Promise<void> {
    await this.#session?.end(when);
  }

  /**
   * The client is gone. What it sent before a Terminate runs to its end, as PostgreSQL runs it; without
   * one, what runs is ended.
   */
  leave(): void {
    this.#output.drop();
    if (!this.#hasSaidGoodbye) {
      void this.end("now");
    }
  }

  /** Ends a session that is between two statements, in words. Returns false if it is not. */
  dismiss(refusal: Refusal): boolean {
    const type = this.state?.type;
    if (this.#hasEnded || (type !== "idle" && type !== "pinned")) {
      return false;
    }
    this.#output.write(encodeDiagnostic(refusal.diagnostic));
    void this.end("now");
    return true;
  }

  /** The socket takes answers again. */
  drained(): void {
    this.#session?.drained();
  }

  /** A client that holds no backend may read when it likes. No last word would reach one that does not read. */
  stalled(): void {
    const type = this.state?.type;
    if (type === "running" || type === "pinned") {
      this.#onStalled();
      this.#output.drop();
      void this.end("now");
    }
  }

  #onData(chunk: Buffer): void {
    const session = this.#session;
    if (session === undefined || this.#hasEnded || this.#isDeaf) {
      return;
    }
    this.#messages += 1;
    this.#framing.push(compactChunk(chunk));
    try {
      let takesMore = true;
      for (let run = this.#framing.next(); run !== undefined; run = this.#framing.next()) {
        this.#hasSaidGoodbye = endsInTerminate(run);
        takesMore = session.write(run);
      }
      if (!takesMore) {
        this.#socket.pause();
      }
    } catch (error) {
      this.#onBroken(error, session);
    }
  }

  #onBroken(error: unknown, session: Session): void {
    if (!(error instanceof PgwireError) || error.diagnostic === undefined) {
      throw error;
    }
    this.#isDeaf = true;
    const { code, message } = error.diagnostic;
    if (!this.dismiss(new Refusal(code, message))) {
      session.write(BROKEN_MESSAGE);
    }
  }
}

/** Whether the last of some whole messages is a Terminate. */
function endsInTerminate(run: Buffer): boolean {
  const last = run.length - TERMINATE.length;
  if (last < 0 || TERMINATE.compare(run, last) !== 0) {
    return false;
  }
  // The same bytes may be the end of another message.
  let start = 0;
  while (start < last) {
    start += 1 + run.readInt32BE(start + 1);
  }
  return start === last;
}
