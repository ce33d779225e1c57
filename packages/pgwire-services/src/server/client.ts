import type { Duplex } from "node:stream";
import { TLSSocket } from "node:tls";
import type { LimitedLogger } from "@multipooler/logging";
import { hostAndPort } from "@multipooler/manager";
import type { ClientStartup } from "@multipooler/pgwire";
import type {
  CallOptions,
  LoginCredentials,
  LoginRequest,
  QueryService,
  Session,
  SessionCaller,
} from "@multipooler/query-service";
import { Deadline, isTimeout, sleep } from "@multipooler/timing";
import type { Clock, StallWatch } from "@multipooler/timing";
import { ConsoleSession } from "../console/console-session.ts";
import type { Console } from "../console/console.ts";
import type { ClientIdentity, ClientView } from "../console/console-view.ts";
import { Conversation } from "../conversation/conversation.ts";
import { encodeGreeting } from "../login/greeting.ts";
import type { ClientCertificateDemand } from "../login/certificate-check.ts";
import { login } from "../login/login.ts";
import type { LoggedIn } from "../login/login.ts";
import type { Encryption } from "../login/login-dialogue.ts";
import { ClientGone, isInternal, lastWords, Refusal } from "../login/refusal.ts";
import type { CancelKey, CancelKeys } from "./cancel-keys.ts";
import type { ClientPlace, ClientPlaces } from "./client-places.ts";
import type { LoginFailures } from "./login-failures.ts";

/** Both ends of the connection of a client. */
export interface SocketEnds {
  readonly address: string;
  readonly port: number;
  readonly localAddress: string;
  readonly localPort: number;
}

export interface ClientOptions {
  readonly socket: Duplex;
  /** Of this process; never given again. */
  readonly id: number;
  readonly ends: SocketEnds;
  /** Asked for at each step that needs it. Throws while there is none. */
  readonly executor: () => Pick<QueryService, "getCredentials" | "openSession">;
  /** `undefined`: the connection is never encrypted. */
  readonly encryption: Encryption | undefined;
  readonly tlsRequired: boolean;
  readonly clientCertificate: ClientCertificateDemand;
  readonly isTrusted: boolean;
  readonly places: ClientPlaces;
  readonly failures: LoginFailures;
  /** `undefined`: there is no admin console. */
  readonly console: Console | undefined;
  readonly keys: CancelKeys;
  readonly stalls: StallWatch;
  readonly loginTimeoutMs: number;
  readonly failedLoginDelayMs: number;
  readonly maxMessageBytes: number;
  readonly clock: Clock;
  readonly logger: LimitedLogger;
}

/** How long a client that was told the end may take to read it. */
const LINGER_MS = 1000;

/** A conversation that has begun. */
interface Talk {
  readonly conversation: Conversation;
  /** The socket that it is on. */
  readonly socket: Duplex;
  /** The session has written its last word. */
  readonly ended: Promise<void>;
}

/** One connection of a client, from its first byte to its last. Owns the socket. */
export class Client {
  readonly #options: ClientOptions;
  readonly #leaving = new AbortController();
  /** The one to write to: that of TLS once the connection is encrypted. */
  #socket: Duplex;
  #conversation: Conversation | undefined;
  readonly #gone = Promise.withResolvers<void>();
  /** Names the client in the log, and to the executor. */
  readonly #origin: string;
  readonly #connectedAt: number;
  /** As it says; it is proved once there is a conversation. */
  #startup: ClientStartup | undefined;

  constructor(options: ClientOptions) {
    this.#options = options;
    this.#socket = options.socket;
    this.#origin = hostAndPort(options.ends.address, options.ends.port);
    this.#connectedAt = options.clock.now();
    // Never without a listener; the end of the socket is what counts.
    options.socket.on("error", () => undefined);
  }

  /** `undefined` before the client is logged in. */
  get conversation(): Conversation | undefined {
    return this.#conversation;
  }

  /** Resolves when its socket is gone. */
  get gone(): Promise<void> {
    return this.#gone.promise;
  }

  /** For the admin console. */
  get view(): ClientView {
    const { id, ends } = this.#options;
    const state = this.#conversation?.state;
    return {
      id,
      ...ends,
      identity: this.#conversation === undefined ? undefined : identityOf(this.#startup),
      state,
      connectedAt: this.#connectedAt,
      requestedAt: state !== undefined && "sinceMs" in state ? state.sinceMs : undefined,
      tls: tlsOf(this.#socket),
    };
  }

  /** Serves the client. Resolves when its socket is gone and nothing of its session is left. */
  async run(): Promise<void> {
    const { socket } = this.#options;
    socket.once("close", () => {
      this.#leaving.abort(new ClientGone("the client closed the connection"));
      this.#gone.resolve();
    });
    try {
      await this.#serve();
    } catch (error) {
      await this.#refuse(error);
    }
    if (!socket.destroyed) {
      await this.#linger(this.gone);
    }
    this.#socket.destroy();
    socket.destroy();
    await this.gone;
  }

  /**
   * Has the client leave: "boundary" at the end of its transaction, "now" at once. One that is not
   * logged in leaves at once.
   */
  leave(when: "now" | "boundary"): void {
    if (this.#conversation === undefined) {
      const message = "terminating connection due to administrator command";
      this.#leaving.abort(new Refusal("57P01", message));
    } else {
      void this.#conversation.end(when);
    }
    if (when === "now") {
      this.#options.socket.destroy();
    }
  }

  async #serve(): Promise<void> {
    using place = this.#options.places.reserve();
    const talk = await this.#logIn(place);
    if (talk !== undefined) {
      await this.#talk(talk);
    }
  }

  /** `undefined` for a client that only wanted to cancel something. */
  async #logIn(place: ClientPlace): Promise<Talk | undefined> {
    const { clock, loginTimeoutMs, keys } = this.#options;
    using deadline = new Deadline({
      clock,
      ms: loginTimeoutMs,
      what: "the login",
      signal: this.#leaving.signal,
    });
    const { signal } = deadline;
    const result = await login(
      {
        ...this.#options,
        credentials: (request, options) => this.#credentials(request, options),
        admit: (startup) => this.#admit(startup, place),
        onSocket: (secure) => (this.#socket = secure),
      },
      signal,
    );
    if (result.type === "cancel") {
      keys.cancel(result);
      return undefined;
    }
    const { user, database } = result.startup;
    if (this.#consoleOf(database) === undefined) {
      place.identify({ user, database });
    }
    return await this.#open(result, signal);
  }

  #admit(startup: ClientStartup, place: ClientPlace): void {
    const { failures, ends, isTrusted } = this.#options;
    this.#startup = startup;
    if (!isTrusted) {
      failures.require({ address: ends.address, user: startup.user });
    }
    place.take(this.#consoleOf(startup.database) === undefined ? "client" : "console");
  }

  async #credentials(
    request: LoginRequest,
    options: CallOptions,
  ): Promise<LoginCredentials | undefined> {
    const console = this.#consoleOf(request.database);
    if (console === undefined) {
      return await this.#options.executor().getCredentials(request, options);
    }
    const { isTrusted, clientCertificate } = this.#options;
    // Nothing has to be looked up of a role that need not prove a password.
    return isTrusted || clientCertificate === "cert"
      ? { scramVerifier: undefined, isReplicationRole: false }
      : await console.getCredentials(request, options);
  }

  /** The console, if that is what the database means. */
  #consoleOf(database: string): Console | undefined {
    const { console } = this.#options;
    return console?.isNamed(database) === true ? console : undefined;
  }

  async #open(client: LoggedIn, signal: AbortSignal): Promise<Talk> {
    const { maxMessageBytes, stalls, logger } = this.#options;
    const socket = this.#socket;
    const ended = Promise.withResolvers<void>();
    const conversation = new Conversation({
      socket,
      maxMessageBytes,
      stalls,
      onStalled: () => {
        const { limitMs } = stalls;
        logger.warn(
          { client: this.#origin, limitMs },
          "a client was disconnected: it does not read",
        );
      },
      onEnded: (reason) => {
        logger.debug({ client: this.#origin, reason }, "the session of a client has ended");
        ended.resolve();
      },
    });
    const { settings, protocol } = client.startup;
    const key = this.#options.keys.issue(protocol, conversation);
    const withdraw = (): void => this.#options.keys.withdraw(key);
    let session: Session;
    try {
      session = await this.#openSession(client, key, conversation, signal);
    } catch (error) {
      withdraw();
      throw error;
    }
    this.#conversation = conversation;
    conversation.start(session, encodeGreeting(session.parameters, settings, key));
    return { conversation, socket, ended: ended.promise.finally(withdraw) };
  }

  async #openSession(
    { startup, keys }: LoggedIn,
    { processId: virtualPid }: CancelKey,
    conversation: Conversation,
    signal: AbortSignal,
  ): Promise<Session> {
    const { user, database, settings } = startup;
    const console = this.#consoleOf(database);
    if (console !== undefined) {
      return new ConsoleSession({ console, role: console.roleOf(user), client: conversation });
    }
    const origin = this.#origin;
    const caller: SessionCaller = { user, database, settings, keys, origin, virtualPid };
    return await this.#options.executor().openSession(caller, conversation, { signal });
  }

  async #talk({ conversation, socket, ended }: Talk): Promise<void> {
    const gone = (): void => conversation.leave();
    socket.once("end", gone);
    socket.once("close", gone);
    if (this.#leaving.signal.aborted) {
      gone();
    }
    await ended;
    await conversation.end("now");
  }

  async #refuse(failure: unknown): Promise<void> {
    const { logger, clock, failedLoginDelayMs, failures, ends } = this.#options;
    const client = this.#origin;
    // Whatever was interrupted failed because of that.
    const leaving = this.#leaving.signal;
    const error: unknown = leaving.aborted ? leaving.reason : failure;
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
      failures.note({ address: ends.address, user: this.#startup?.user ?? "" });
      await sleep(clock, failedLoginDelayMs, leaving);
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
    socket.end();
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = this.#options.clock.setTimer(resolve, LINGER_MS);
    socket.once("close", resolve);
    socket.once("end", resolve);
    await Promise.race([closed, promise]);
    timer.cancel();
  }
}

function identityOf(startup: ClientStartup | undefined): ClientIdentity | undefined {
  return (
    startup && {
      user: startup.user,
      database: startup.database,
      applicationName: startup.settings.get("application_name") ?? "",
    }
  );
}

function tlsOf(socket: Duplex): string {
  return socket instanceof TLSSocket
    ? `${socket.getProtocol() ?? ""}/${socket.getCipher().name}`
    : "";
}
