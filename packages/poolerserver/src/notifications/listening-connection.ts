import { SimpleQuery } from "@multipooler/pgwire";
import type { RequestEnd } from "@multipooler/pgwire";
import { PoolerErrorCode, decodeNotification } from "@multipooler/query-service";
import type { Clock, Timer } from "@multipooler/timing";
import { MultiPoolerError } from "../error.ts";
import type { Backend } from "../pool/backend.ts";
import { queryError } from "../postgres-error.ts";

/** A server that has been quiet for so long is asked for an answer. */
const QUIET_MS = 5000;
const NOTIFICATION_RESPONSE = 0x41;

export interface ListeningConnectionOptions {
  readonly backend: Backend;
  readonly clock: Clock;
  /** Takes a whole message in a view that is written to again, and the channel that it is for. */
  readonly onNotification: (message: Uint8Array, channel: string) => void;
  /** The server has been quiet for a while: it should be asked for something. */
  readonly onQuiet: () => void;
  /** The server owes an answer from now on. */
  readonly onAsked: () => void;
  /** It broke; called once, and not after `close`. */
  readonly onLost: (error: MultiPoolerError) => void;
}

/**
 * The session in which the server sends notifications. It runs one statement at a time, and asks
 * the server for a sign of life when it has not said anything for a while: a network that swallows
 * everything would else be noticed by nobody.
 */
export class ListeningConnection {
  readonly backend: Backend;
  readonly #options: ListeningConnectionOptions;
  #timer: Timer | undefined;
  #bytesReceived = 0;
  #isOver = false;

  constructor(options: ListeningConnectionOptions) {
    const { backend } = options;
    this.#options = options;
    this.backend = backend;
    backend.onUnasked = (message) => this.#take(message);
    void backend.closed.then((end) => this.#onClosed(end.type === "lost" ? end.error : undefined));
    this.#awaitQuiet();
  }

  /**
   * Runs `sql`, with nothing else under way. When `settled` is called, every notification of a
   * transaction that had committed before was taken. It is not called when the connection is lost.
   */
  run(sql: string, settled: (error: MultiPoolerError | undefined) => void): void {
    this.#timer?.cancel();
    this.#options.onAsked();
    const settle = (end: RequestEnd): void => {
      if (end.type === "lost") {
        this.#onClosed(end.error);
      } else {
        this.#awaitQuiet();
        settled(end.error === undefined ? undefined : queryError(end.error));
      }
    };
    this.backend.send(
      new SimpleQuery({
        sql,
        receiver: {
          event: () => undefined,
          notified: (message) => this.#take(message),
          settle,
        },
      }),
    );
  }

  /** Ends the session in good order. Resolves when it is gone; never rejects. */
  async close(): Promise<void> {
    this.#end();
    await this.backend.close();
  }

  /** Cuts it, because it is of no use any more. */
  lose(error: MultiPoolerError): void {
    if (!this.#isOver) {
      this.#end();
      this.#options.onLost(error);
      this.backend.destroy(error);
    }
  }

  #take(message: Uint8Array): void {
    if (message[0] !== NOTIFICATION_RESPONSE || this.#isOver) {
      return;
    }
    let channel: string;
    try {
      ({ channel } = decodeNotification(message));
    } catch (cause) {
      this.#onClosed(cause instanceof Error ? cause : undefined);
      return;
    }
    this.#options.onNotification(message, channel);
  }

  /** Has the server asked for an empty answer if it stays silent. */
  #awaitQuiet(): void {
    if (this.#isOver) {
      return;
    }
    this.#bytesReceived = this.backend.bytesReceived;
    this.#timer = this.#options.clock.setTimer(() => {
      if (this.backend.bytesReceived === this.#bytesReceived && this.backend.idle) {
        this.#options.onQuiet();
      } else {
        this.#awaitQuiet();
      }
    }, QUIET_MS);
  }

  #onClosed(cause: Error | undefined): void {
    const why = cause?.message ?? "it was closed";
    this.lose(
      new MultiPoolerError(
        PoolerErrorCode.ConnectionLost,
        `the connection that listens was lost: ${why}; notifications may have been missed`,
        { cause },
      ),
    );
  }

  #end(): void {
    this.#isOver = true;
    this.#timer?.cancel();
    this.#timer = undefined;
  }
}
