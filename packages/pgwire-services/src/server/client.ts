import type { Socket } from "node:net";
import type { LimitedLogger } from "@multipooler/manager";
import type { QueryService, SessionCaller } from "@multipooler/query-service";
import { Deadline, isTimeout, sleep } from "@multipooler/timing";
import type { Clock } from "@multipooler/timing";
import { Conversation } from "../conversation/conversation.ts";
import { encodeGreeting } from "../login/greeting.ts";
import { login } from "../login/login.ts";
import type { LoggedIn } from "../login/login.ts";
import type { TlsIdentity } from "../login/login-dialogue.ts";
import { ClientGone, isInternal, lastWords, Refusal } from "../login/refusal.ts";
import type { CancelKey, CancelKeys } from "./cancel-keys.ts";
import type { ClientPlaces } from "./client-places.ts";

export interface ClientOptions {
  readonly socket: Socket;
  /** Asked for at each step that needs it. Throws while there is none. */
  readonly executor: () => Pick<QueryService, "getCredentials" | "openSession">;
  readonly tls: () => TlsIdentity | undefined;
  readonly isTrusted: boolean;
  readonly places: ClientPlaces;
  readonly keys: CancelKeys;
  readonly loginTimeoutMs: number;
  readonly failedLoginDelayMs: number;
  readonly maxMessageBytes: number;
  readonly clock: Clock;
  readonly logger: LimitedLogger;
}

/** How long a client that was told the end may take to read it. */
const LINGER_MS = 1000;

/**
 * | phase        | the client                                  | next                 |
 * | ------------ | ------------------------------------------- | -------------------- |
 * | login        | says who it is and proves it                | conversation, closed |
 * | conversation | sends statements                            | closed               |
 * | closed       | is gone, or has a moment to read the end    |                      |
 */
export type ClientPhase = "login" | "conversation" | "closed";

/** One connection of a client, from its first byte to its last. Owns the socket. */
export class Client {
  readonly #options: ClientOptions;
  readonly #leaving = new AbortController();
  readonly #remote: string;
  #phase: ClientPhase = "login";
  #socket: Socket;
  #conversation: Conversation | undefined;

  constructor(options: ClientOptions) {
    this.#options = options;
    this.#socket = options.socket;
    this.#remote = `${options.socket.remoteAddress}:${options.socket.remotePort}`;
    // Never without a listener; the end of the socket is what counts.
    options.socket.on("error", () => undefined);
  }

  get phase(): ClientPhase {
    return this.#phase;
  }

  get conversation(): Conversation | undefined {
    return this.#conversation;
  }

  /** Serves the client. Resolves when its socket is gone and nothing of its session is left. */
  async run(): Promise<void> {
    const { socket } = this.#options;
    const closed = Promise.withResolvers<void>();
    socket.once("close", () => {
      this.#leaving.abort(new ClientGone("the client closed the connection"));
      closed.resolve();
    });
    try {
      await this.#serve();
    } catch (error) {
      await this.#refuse(error);
    } finally {
      this.#phase = "closed";
    }
    if (!socket.destroyed) {
      await this.#linger(closed.promise);
    }
    socket.destroy();
    await closed.promise;
  }

  /**
   * Has the client leave: "boundary" at the end of its transaction, "now" at once. One that is not
   * logged in leaves at once.
   */
  leave(when: "now" | "boundary"): void {
    const reason = new Refusal("57P01", "terminating connection due to administrator command");
    if (this.#conversation === undefined) {
      this.#leaving.abort(reason);
    } else {
      void this.#conversation.end(when);
    }
    if (when === "now") {
      this.#options.socket.destroy();
    }
  }

  async #serve(): Promise<void> {
    const { clock, loginTimeoutMs, places } = this.#options;
    using place = places.reserve();
    let opened: { readonly conversation: Conversation; readonly ended: Promise<void> } | undefined;
    {
      using deadline = new Deadline({
        clock,
        ms: loginTimeoutMs,
        what: "the login",
        signal: this.#leaving.signal,
      });
      const { socket, executor, tls, isTrusted } = this.#options;
      const admit = (): void => place.take();
      const result = await login({ socket, executor, tls, isTrusted, admit }, deadline.signal);
      if (result.type === "cancel") {
        this.#options.keys.cancel(result);
        return;
      }
      opened = await this.#open(result, deadline.signal);
    }
    await opened.ended;
  }

  async #open(
    client: LoggedIn,
    signal: AbortSignal,
  ): Promise<{ readonly conversation: Conversation; readonly ended: Promise<void> }> {
    const { keys, maxMessageBytes, executor } = this.#options;
    const ended = Promise.withResolvers<void>();
    this.#socket = client.socket;
    const conversation = new Conversation({
      socket: client.socket,
      maxMessageBytes,
      onEnded: (reason) => {
        this.#options.logger.debug(
          { client: this.#remote, reason },
          "a client's session has ended",
        );
        ended.resolve();
      },
    });
    const session = await executor().openSession(this.#callerOf(client), conversation, { signal });
    const key = keys.issue(client.startup.protocol, conversation);
    this.#conversation = conversation;
    this.#phase = "conversation";
    const { settings } = client.startup;
    conversation.start(session, encodeGreeting(session.parameters, settings, key));
    return { conversation, ended: this.#untilEnded(conversation, ended.promise, key) };
  }

  async #untilEnded(
    conversation: Conversation,
    ended: Promise<void>,
    key: CancelKey,
  ): Promise<void> {
    const gone = (): void => {
      conversation.drop();
      void conversation.end("now");
    };
    this.#socket.once("end", gone);
    this.#socket.once("close", gone);
    if (this.#leaving.signal.aborted) {
      gone();
    }
    try {
      await ended;
      await conversation.end("now");
    } finally {
      this.#options.keys.withdraw(key);
    }
  }

  #callerOf({ startup, keys }: LoggedIn): SessionCaller {
    const { user, database, settings } = startup;
    return { user, database, settings, keys, origin: this.#remote };
  }

  async #refuse(failure: unknown): Promise<void> {
    const { logger, clock, failedLoginDelayMs } = this.#options;
    // Whatever was interrupted failed because of that.
    const leaving = this.#leaving.signal;
    const error: unknown = leaving.aborted ? leaving.reason : failure;
    const client = this.#remote;
    if (error instanceof ClientGone || isTimeout(error)) {
      logger.debug({ client, err: error }, "a client did not log in");
      this.#options.socket.destroy();
      return;
    }
    if (isInternal(error)) {
      logger.error({ client, err: error }, "a client could not be served");
    } else {
      const reason = error instanceof Error ? error.message : String(error);
      logger.warn({ client, reason }, "a client was refused");
    }
    if (error instanceof Refusal && error.diagnostic.code === "28P01") {
      await sleep(clock, failedLoginDelayMs, this.#leaving.signal);
    }
    const words = lastWords(error);
    if (words !== undefined) {
      this.#socket.write(words);
    }
  }

  /** Lets the client read the last message: a socket that is cut may lose it on the way. */
  async #linger(closed: Promise<void>): Promise<void> {
    const socket = this.#socket;
    socket.resume();
    if (!socket.writableEnded) {
      socket.end();
    }
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = this.#options.clock.setTimer(resolve, LINGER_MS);
    await Promise.race([closed, promise]);
    timer.cancel();
  }
}
