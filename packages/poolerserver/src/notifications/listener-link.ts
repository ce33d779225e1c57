import type { Timer } from "@multipooler/timing";
import { poolerError } from "../error.ts";
import type { MultiPoolerError } from "../error.ts";
import type { Logger } from "../logger.ts";
import type { Backend } from "../pool/backend.ts";
import { SilenceWatch } from "../pool/silence-watch.ts";
import type { ServerProcesses } from "../pool/silence-watch.ts";
import type { PoolerEventListener } from "../pooler-event.ts";
import { lostError } from "../postgres-error.ts";
import { ChannelChanges } from "./channel-changes.ts";
import { dialListener } from "./listener-dial.ts";
import type { ListenerDialOptions } from "./listener-dial.ts";
import { ListeningConnection } from "./listening-connection.ts";
import type { PendingChange } from "./pending-change.ts";
import type { Subscriber } from "./subscriber.ts";

/** The connection is closed when nobody has subscribed to anything for so long. */
const LINGER_MS = 10_000;

export interface ListenerLinkOptions extends Omit<ListenerDialOptions, "onObstacle"> {
  readonly processes: ServerProcesses;
  /** The connection broke, and perhaps others have. */
  readonly suspect: (cause: MultiPoolerError) => void;
  /** Gets what seldom happens, for metrics. */
  readonly onEvent?: PoolerEventListener | undefined;
  readonly logger: Logger;
}

/**
 * | state     | connection                                         | next                    |
 * | --------- | -------------------------------------------------- | ----------------------- |
 * | idle      | none, and nobody needs one                         | dialling, closed        |
 * | dialling  | is being opened, because changes wait for it       | listening, idle, closed |
 * | listening | open; ends some time after the last channel        | idle, closed            |
 * | closed    | none any more                                      |                         |
 */
type State =
  | { readonly type: "idle" }
  | {
      readonly type: "dialling";
      readonly attempt: AbortController;
      obstacle: MultiPoolerError | undefined;
    }
  | Listening
  | { readonly type: "closed" };

interface Listening {
  readonly type: "listening";
  readonly connection: ListeningConnection;
  linger: Timer | undefined;
}

/**
 * The one connection of all subscribers: open while a change waits for it or somebody subscribes to a
 * channel, and for a while after.
 */
export class ListenerLink {
  readonly #options: ListenerLinkOptions;
  readonly #changes = new ChannelChanges();
  readonly #watch: SilenceWatch;
  /** Dials and connections that have not ended. */
  readonly #ending = new Set<Promise<void>>();
  #state: State = { type: "idle" };
  /** When the connection broke that nobody has replaced yet; on the monotonic clock. */
  #lostAt: number | undefined;

  constructor(options: ListenerLinkOptions) {
    const { clock, processes } = options;
    this.#options = options;
    this.#watch = new SilenceWatch({
      clock,
      processes,
      busySessions: () => this.#busySessions(),
      onSilent: (session, problem) => this.#onSilent(session, problem),
      onAlive: () => undefined,
    });
  }

  /** Channels that somebody subscribes to. */
  get channels(): number {
    return this.#changes.channels;
  }

  /** Why there is no connection yet, if one is being opened and something is in the way. */
  get obstacle(): MultiPoolerError | undefined {
    return this.#state.type === "dialling" ? this.#state.obstacle : undefined;
  }

  /** Confirms or refuses `pending`, later. */
  submit(pending: PendingChange): void {
    this.#changes.add(pending);
    this.#advance();
  }

  /** Nobody waits for `pending` any more. Does nothing for one that is settled. */
  withdraw(pending: PendingChange): void {
    this.#changes.withdraw(pending);
    if (this.#state.type === "dialling" && !this.#changes.isWaiting) {
      this.#state.attempt.abort();
      this.#state = { type: "idle" };
    }
  }

  /** The subscriber has ended, and has withdrawn its changes. */
  remove(subscriber: Subscriber): void {
    this.#changes.remove(subscriber);
    this.#advance();
  }

  /** Refuses all changes, and ends the connection. */
  reset(reason: MultiPoolerError): void {
    const state = this.#state;
    if (state.type === "closed") {
      return;
    }
    this.#state = { type: "idle" };
    if (state.type === "dialling") {
      state.attempt.abort(reason);
    } else if (state.type === "listening") {
      state.linger?.cancel();
      void state.connection.close();
    }
    this.#changes.clear(reason);
    this.#changes.refuseWaiting(reason);
  }

  /** Ends everything. Never rejects. */
  async close(reason: MultiPoolerError): Promise<void> {
    this.reset(reason);
    this.#state = { type: "closed" };
    this.#watch.close();
    await Promise.all(this.#ending);
  }

  /** Does the next step, if there is one and nothing is under way. */
  #advance(): void {
    const state = this.#state;
    switch (state.type) {
      case "idle":
        this.#changes.confirmLeaving();
        if (this.#changes.isWaiting) {
          this.#startDial();
        }
        return;
      case "listening":
        if (this.#changes.isAwaited) {
          return;
        }
        if (this.#changes.isAskingDue) {
          this.#ask(state);
        } else {
          this.#closeIfUnused(state);
        }
        return;
      case "dialling":
      case "closed":
    }
  }

  #startDial(): void {
    const attempt = new AbortController();
    const state: State = { type: "dialling", attempt, obstacle: undefined };
    this.#state = state;
    const onObstacle = (error: MultiPoolerError): void => {
      state.obstacle = error;
      this.#options.logger.warn({ err: error }, "cannot listen for notifications yet");
    };
    this.#track(this.#dial(attempt.signal, onObstacle));
  }

  /** Never rejects. */
  async #dial(signal: AbortSignal, onObstacle: (error: MultiPoolerError) => void): Promise<void> {
    try {
      const { backend, release } = await dialListener({ ...this.#options, onObstacle }, signal);
      this.#track(backend.closed.then(release));
      if (signal.aborted) {
        await backend.close();
      } else {
        this.#listen(backend);
      }
    } catch (error) {
      if (!signal.aborted) {
        this.#state = { type: "idle" };
        this.#changes.confirmLeaving();
        this.#changes.refuseWaiting(poolerError(error));
      }
    }
  }

  #listen(backend: Backend): void {
    const connection = new ListeningConnection({
      backend,
      clock: this.#options.clock,
      onNotification: (message, channel) => this.#changes.dispatch(message, channel),
      onQuiet: () => this.#onQuiet(connection),
      onAsked: () => this.#watch.start(),
      onLost: (error) => this.#onLost(connection, error),
    });
    this.#state = { type: "listening", connection, linger: undefined };
    this.#noteRestored();
    this.#advance();
  }

  #ask(state: Listening): void {
    this.#changes.ask(state.connection, (error) => {
      if (error !== undefined) {
        this.#options.logger.warn({ err: error }, "PostgreSQL refused to listen");
      }
      if (error === undefined || this.#changes.isWaiting) {
        this.#advance();
      } else {
        // What else is due has just been refused.
        this.#closeIfUnused(state);
      }
    });
  }

  #onQuiet(connection: ListeningConnection): void {
    const state = this.#state;
    if (isListeningOn(state, connection) && !this.#changes.isAwaited) {
      this.#ask(state);
    }
  }

  #closeIfUnused(state: Listening): void {
    if (this.#changes.isUsed) {
      return;
    }
    state.linger ??= this.#options.clock.setTimer(() => {
      state.linger = undefined;
      if (this.#state === state && !this.#changes.isUsed && !this.#changes.isAwaited) {
        this.#state = { type: "idle" };
        this.#changes.leaveAll();
        void state.connection.close();
      }
    }, LINGER_MS);
  }

  #onLost(connection: ListeningConnection, error: MultiPoolerError): void {
    const state = this.#state;
    if (!isListeningOn(state, connection)) {
      return;
    }
    state.linger?.cancel();
    this.#state = { type: "idle" };
    this.#lostAt = this.#options.clock.monotonic();
    this.#options.onEvent?.({ type: "listenerLost" });
    const subscribers = this.#changes.clear(error);
    this.#options.logger.warn({ err: error, subscribers: subscribers.size }, "stopped listening");
    for (const subscriber of subscribers) {
      subscriber.fail(error);
    }
    this.#options.suspect(error);
    this.#advance();
  }

  #noteRestored(): void {
    const { clock, onEvent } = this.#options;
    if (this.#lostAt !== undefined) {
      onEvent?.({ type: "listenerRestored", gapMs: clock.monotonic() - this.#lostAt });
      this.#lostAt = undefined;
    }
  }

  #onSilent(session: Backend, problem: string): void {
    void this.#watch.endProcess(session);
    const state = this.#state;
    if (state.type === "listening" && state.connection.backend === session) {
      state.connection.lose(lostError(`the connection that listens is silent: ${problem}`));
    }
  }

  #busySessions(): Backend[] {
    const state = this.#state;
    return state.type === "listening" && state.connection.backend.inFlight > 0
      ? [state.connection.backend]
      : [];
  }

  #track(ending: Promise<void>): void {
    this.#ending.add(ending);
    void ending.then(() => this.#ending.delete(ending));
  }
}

function isListeningOn(state: State, connection: ListeningConnection): state is Listening {
  return state.type === "listening" && state.connection === connection;
}
