import { onAbort } from "./on-abort.ts";

/** What a server does from the moment that it is to listen until it has ended. */
export interface ListeningRun<Port> {
  /** Settles when the port is bound or could not be. */
  readonly bound: Promise<Port>;
  /** Called once the port is bound, unless the server is to stop by then. */
  started?(): void;
  /**
   * Ends everything: in order until `force` aborts, at once from then on. Called once, after `bound`
   * has settled; without a port where there is none.
   */
  shutDown(port: Port | undefined, force: AbortSignal): Promise<void>;
}

export interface ListeningOptions<Run> {
  /** Begins to bind the port. `closing` aborts when `close` begins. */
  readonly start: (closing: AbortSignal) => Run;
  /** The error of a second `open`. */
  readonly alreadyOpen: () => Error;
  /** The error of an `open` that its signal or `close` has ended. */
  readonly cancelled: (reason: unknown) => Error;
}

/** One run, and what ends it. */
interface Life<Port, Run> {
  readonly run: Run;
  readonly closing: AbortController;
  readonly force: AbortController;
  port: Port | undefined;
  closed: Promise<void> | undefined;
}

/** Opens and closes a server's port: one run at a time, each ended before the next may begin. */
export class Listening<Port, Run extends ListeningRun<Port>> {
  readonly #options: ListeningOptions<Run>;
  #life: Life<Port, Run> | undefined;

  constructor(options: ListeningOptions<Run>) {
    this.#options = options;
  }

  /** The current run, from the begin of `open` to the end of `close`. */
  get run(): Run | undefined {
    return this.#life?.run;
  }

  /** Its port, once that is bound. */
  get port(): Port | undefined {
    return this.#life?.port;
  }

  /** Resolves when the port is bound. Rejects as `bound` does, or with an error of the options. */
  async open(signal?: AbortSignal): Promise<void> {
    const { start, alreadyOpen, cancelled } = this.#options;
    if (this.#life !== undefined) {
      throw alreadyOpen();
    }
    if (isAborted(signal)) {
      throw cancelled(signal?.reason);
    }
    const closing = new AbortController();
    const force = new AbortController();
    const run = start(closing.signal);
    const life: Life<Port, Run> = { run, closing, force, port: undefined, closed: undefined };
    this.#life = life;
    try {
      life.port = await run.bound;
    } catch (error) {
      this.#life = undefined;
      throw error;
    }
    if (!isAborted(signal) && !isAborted(closing.signal)) {
      run.started?.();
      return;
    }
    await this.close();
    throw cancelled(signal?.reason);
  }

  /**
   * Ends the run in order until the signal of one of the callers aborts, then at once. Resolves when
   * it has ended. Idempotent.
   */
  async close(signal?: AbortSignal): Promise<void> {
    const life = this.#life;
    if (life === undefined) {
      return;
    }
    const stopListening = onAbort(signal, () => life.force.abort());
    try {
      life.closed ??= this.#end(life);
      await life.closed;
    } finally {
      stopListening();
    }
  }

  async #end(life: Life<Port, Run>): Promise<void> {
    life.closing.abort();
    const port = await life.run.bound.catch(() => undefined);
    await life.run.shutDown(port, life.force.signal);
    if (this.#life === life) {
      this.#life = undefined;
    }
  }
}

/** A function, since a signal may abort during an await, which the compiler does not know. */
function isAborted(signal: AbortSignal | undefined): boolean {
  return signal?.aborted ?? false;
}
