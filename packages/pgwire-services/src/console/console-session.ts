import type { Session, SessionClient, SessionState } from "@multipooler/query-service";
import { Refusal } from "../login/refusal.ts";
import type { ConsoleCommand } from "./console-command.ts";
import { ConsoleDialogue } from "./console-dialogue.ts";
import { errorOf } from "./console-error.ts";
import type { Console, ConsoleAnswer, ConsoleRole } from "./console.ts";
import { readMessage } from "./console-message.ts";
import type { ConsoleMessage } from "./console-message.ts";

/** What a client may send ahead of the command that runs. */
const MAX_INPUT_BYTES = 65_536;
export interface ConsoleSessionOptions {
  readonly console: Console;
  readonly role: ConsoleRole;
  readonly client: SessionClient;
}

/**
 * The conversation of one client with the console. It takes the simple and the extended protocol, and
 * runs one command at a time. There are no transactions; drivers that begin one are told that they are in one.
 */
export class ConsoleSession implements Session {
  readonly parameters: ReadonlyMap<string, string>;
  readonly #options: ConsoleSessionOptions;
  readonly #gone = Promise.withResolvers<void>();
  readonly #dialogue: ConsoleDialogue;
  #input: Buffer[] = [];
  #inputBytes = 0;
  #isBehind = false;
  #room: PromiseWithResolvers<void> | undefined;
  #running: { readonly abort: AbortController; readonly sinceMs: number } | undefined;
  #isPumping = false;
  /** It leaves when the command that runs is over. */
  #isLeaving = false;
  #hasEnded = false;

  constructor(options: ConsoleSessionOptions) {
    this.#options = options;
    this.#dialogue = new ConsoleDialogue({
      send: (bytes) => this.#send(bytes),
      run: (command) => this.#run(command),
      columnsOf: (command) => options.console.columnsOf(command),
    });
    this.parameters = new Map([
      ["server_version", `${options.console.version} (admin console)`],
      ["server_encoding", "UTF8"],
      ["client_encoding", "UTF8"],
      ["DateStyle", "ISO, MDY"],
      ["TimeZone", "UTC"],
      ["integer_datetimes", "on"],
      ["standard_conforming_strings", "on"],
    ]);
  }

  write(messages: Uint8Array): boolean {
    if (this.#hasEnded) {
      return true;
    }
    this.#input.push(Buffer.from(messages.buffer, messages.byteOffset, messages.byteLength));
    this.#inputBytes += messages.length;
    void this.#pump();
    this.#isBehind = this.#inputBytes > MAX_INPUT_BYTES;
    return !this.#isBehind;
  }

  drained(): void {
    this.#room?.resolve();
    this.#room = undefined;
  }

  cancel(): void {
    const message = "canceling statement due to user request";
    this.#running?.abort.abort(new Refusal("57014", message));
  }

  async end(when: "now" | "boundary"): Promise<void> {
    if (when === "now") {
      this.#end(undefined);
    } else {
      this.#isLeaving = true;
      this.#running?.abort.abort(shutdown());
      this.#leaveIfIdle();
    }
    await this.#gone.promise;
  }

  describe(): SessionState {
    if (this.#hasEnded) {
      return { type: "ended" };
    }
    return this.#running === undefined
      ? { type: "idle" }
      : { type: "running", sinceMs: this.#running.sinceMs };
  }

  /** Runs what has come, message by message. Never rejects. */
  async #pump(): Promise<void> {
    if (this.#isPumping) {
      return;
    }
    this.#isPumping = true;
    while (!this.#hasEnded) {
      const messages = this.#input.shift();
      if (messages === undefined) {
        break;
      }
      await this.#runAll(messages);
      this.#inputBytes -= messages.length;
      this.#relieve();
    }
    this.#isPumping = false;
    this.#leaveIfIdle();
  }

  async #runAll(messages: Buffer): Promise<void> {
    for (let rest = messages; rest.length > 0 && !this.#hasEnded;) {
      try {
        const { message, end } = readMessage(rest);
        rest = rest.subarray(end);
        await this.#take(message);
      } catch (error) {
        // What is no message leaves nothing that could be told apart behind it.
        this.#end(errorOf(error, "FATAL"));
      }
    }
  }

  /** Answers one message. Then waits until the client takes more. */
  async #take(message: ConsoleMessage): Promise<void> {
    if (message.type === "terminate") {
      this.#end(undefined);
    } else {
      await this.#dialogue.take(message);
      await this.#room?.promise;
    }
  }

  async #run(command: ConsoleCommand): Promise<ConsoleAnswer> {
    const { console, role } = this.#options;
    const abort = new AbortController();
    this.#running = { abort, sinceMs: console.clock.now() };
    try {
      return await console.run(command, { role, signal: abort.signal });
    } catch (error) {
      throw abort.signal.aborted ? abort.signal.reason : error;
    } finally {
      this.#running = undefined;
    }
  }

  #send(bytes: Uint8Array): void {
    if (!this.#hasEnded && !this.#options.client.write(bytes)) {
      this.#room ??= Promise.withResolvers();
    }
  }

  /** The client may send more. */
  #relieve(): void {
    if (this.#isBehind && this.#inputBytes <= MAX_INPUT_BYTES) {
      this.#isBehind = false;
      this.#options.client.resume();
    }
  }

  #leaveIfIdle(): void {
    if (this.#isLeaving && !this.#isPumping) {
      this.#end(errorOf(shutdown(), "FATAL"));
    }
  }

  #end(lastMessage: Uint8Array | undefined): void {
    if (this.#hasEnded) {
      return;
    }
    if (lastMessage !== undefined) {
      this.#send(lastMessage);
    }
    this.#hasEnded = true;
    this.#input = [];
    this.#running?.abort.abort(new Refusal("57P01", "the client has left"));
    this.drained();
    this.#options.client.ended(undefined);
    this.#gone.resolve();
  }
}

function shutdown(): Refusal {
  return new Refusal("57P01", "terminating connection due to administrator command");
}
