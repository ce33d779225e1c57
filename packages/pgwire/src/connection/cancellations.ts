import { onAbort } from "@multipooler/timing";
import { abortedError, PgwireError, PgwireErrorCode } from "../error.ts";
import type { SessionKey } from "../startup/startup.ts";
import { cancelRequest } from "./cancel-request.ts";
import type { ConnectOptions } from "./connect-options.ts";
import type { Request } from "./request.ts";
import type { RequestQueue } from "./request-queue.ts";

/** The connection whose requests are cancelled. */
export interface CancellationsOptions extends Pick<ConnectOptions, "address" | "tls"> {
  readonly key: SessionKey;
  readonly queue: RequestQueue;
  /** Requests may be written again that a cancel had held back. */
  readonly released: () => void;
  /** A cancel is under way that could hit any later request. */
  readonly unusable: (error: PgwireError) => void;
}

/**
 * | phase    | meaning                                                             | holds back what follows |
 * | -------- | ------------------------------------------------------------------- | ----------------------- |
 * | watching | others are in flight behind the request: only its end is waited for | no                      |
 * | waiting  | the request is not running yet                                      | yes                     |
 * | dialing  | a socket for the cancel request is being opened                     | yes                     |
 * | written  | the server was asked, and has not closed that socket yet            | yes                     |
 * | taken    | the server has closed it                                            | no                      |
 */
type Phase = "watching" | "waiting" | "dialing" | "written" | "taken";

interface Cancellation {
  readonly request: Request;
  readonly signal: AbortSignal;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
  phase: Phase;
}

/**
 * The cancel requests of one connection. PostgreSQL's name a session and no statement, so one is
 * only written while its request is running with nothing in flight behind it; and nothing is
 * written behind that until the server has closed the socket of the cancel request, from when on it
 * has had its effect.
 */
export class Cancellations {
  readonly #options: CancellationsOptions;
  readonly #active = new Set<Cancellation>();
  readonly #ended = new AbortController();
  /** A cancel request was written for it, and the server may still get that at any time. */
  #doomed: Request | undefined;

  constructor(options: CancellationsOptions) {
    this.#options = options;
  }

  /** {@link BackendConnection.cancel} */
  async cancel(request: Request, signal: AbortSignal | undefined): Promise<void> {
    const { queue } = this.#options;
    const position = queue.position(request);
    if (position === -1) {
      return;
    }
    if (signal?.aborted === true) {
      throw abortedError("the cancel request", signal);
    }
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const cancellation: Cancellation = {
      request,
      signal: AbortSignal.any(
        signal === undefined ? [this.#ended.signal] : [signal, this.#ended.signal],
      ),
      resolve,
      reject,
      phase: queue.sentCount > position + 1 ? "watching" : "waiting",
    };
    this.#active.add(cancellation);
    const stopListening = onAbort(signal, (aborted) => {
      reject(abortedError("the cancel request", aborted));
    });
    this.#advance(cancellation);
    this.#setBarrier();
    try {
      await promise;
    } finally {
      stopListening();
      this.#active.delete(cancellation);
      if (cancellation.phase === "written" && !this.#ended.signal.aborted) {
        this.#doomed = request;
      }
      this.#release();
    }
  }

  /** Requests were sent or settled. */
  advance(): void {
    if (this.#active.size > 0) {
      for (const cancellation of this.#active) {
        this.#advance(cancellation);
      }
    }
    this.#endDoomed();
  }

  /** The connection ended, and its requests with it. */
  end(): void {
    this.#ended.abort();
    for (const { resolve } of this.#active) {
      resolve();
    }
  }

  #advance(cancellation: Cancellation): void {
    const { request, phase, resolve } = cancellation;
    const isWaiting = phase === "watching" || phase === "waiting";
    if (!isWaiting) {
      return;
    }
    if (this.#options.queue.position(request) === -1) {
      resolve();
    } else if (phase === "waiting" && this.#options.queue.running === request) {
      cancellation.phase = "dialing";
      void this.#send(cancellation);
    }
  }

  async #send(cancellation: Cancellation): Promise<void> {
    const { address, tls, key, queue } = this.#options;
    const { request, signal, resolve, reject } = cancellation;
    const mayWrite = (): boolean => {
      if (queue.running !== request || signal.aborted) {
        return false;
      }
      cancellation.phase = "written";
      return true;
    };
    try {
      await cancelRequest({ address, tls: tls?.(), key, signal, mayWrite });
      cancellation.phase = "taken";
      resolve();
    } catch (error) {
      reject(error);
    }
  }

  #release(): void {
    this.#setBarrier();
    this.#endDoomed();
    this.#options.released();
  }

  #setBarrier(): void {
    const { queue } = this.#options;
    if (this.#doomed !== undefined) {
      queue.setBarrier(this.#doomed);
      return;
    }
    let first: Request | undefined;
    for (const { request, phase } of this.#active) {
      const isFirst = first === undefined || queue.position(request) < queue.position(first);
      if (phase !== "watching" && isFirst) {
        first = request;
      }
    }
    queue.setBarrier(first);
  }

  #endDoomed(): void {
    if (this.#doomed !== undefined && this.#options.queue.position(this.#doomed) === -1) {
      const problem = "a cancel request may still be on its way that could hit a later request";
      this.#options.unusable(new PgwireError(PgwireErrorCode.ConnectionLost, problem));
    }
  }
}
