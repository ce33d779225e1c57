import type { ResultEvent, ResultSink } from "@multipooler/controller-api";
import { PgwireError, PgwireErrorCode } from "@multipooler/pgwire";
import type { Backend, BackendEnd } from "../src/backend.ts";

/** A query that a test answers. */
export interface FakeRequest {
  readonly sql: string;
  /** Hands an event to the sink of the request. */
  write(event: ResultEvent): Promise<void> | undefined;
  succeed(): void;
  fail(error: unknown): void;
}

/** A session whose server is the test. Queries are answered in order, by hand or by `onQuery`. */
export class FakeBackend implements Backend {
  readonly processId = 4711;
  readonly requests: FakeRequest[] = [];
  readonly #closed = Promise.withResolvers<BackendEnd>();
  readonly #inFlight = new Set<FakeRequest>();
  readonly #onQuery: ((request: FakeRequest) => void) | undefined;
  #ended = false;
  transactionStatus: "I" | "T" | "E" = "I";
  readonly parameters: Map<string, string> = new Map();
  readonly cancels: PromiseWithResolvers<void>[] = [];
  /** Whether `close` ends the session at once, or the test does it with `finishClose`. */
  closesAtOnce = true;
  closeCalls = 0;
  /** Whether the socket is broken although nobody has noticed. */
  isBroken = false;
  destroyedFor: unknown = undefined;

  constructor(onQuery?: (request: FakeRequest) => void) {
    this.#onQuery = onQuery;
  }

  get closed(): Promise<BackendEnd> {
    return this.#closed.promise;
  }

  get idle(): boolean {
    return !this.#ended && this.#inFlight.size === 0 && this.closeCalls === 0;
  }

  get hasEnded(): boolean {
    return this.#ended;
  }

  query(sql: string, sink: ResultSink): Promise<void> {
    if (this.#ended || this.isBroken) {
      return Promise.reject(lost(false));
    }
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const request: FakeRequest = {
      sql,
      write: (event) => sink.write(event),
      succeed: () => {
        this.#inFlight.delete(request);
        resolve();
      },
      fail: (error) => {
        this.#inFlight.delete(request);
        reject(error instanceof Error ? error : new Error("not an error", { cause: error }));
      },
    };
    this.requests.push(request);
    this.#inFlight.add(request);
    this.#onQuery?.(request);
    return promise;
  }

  cancel({ signal }: { readonly signal: AbortSignal }): Promise<void> {
    const cancelling = Promise.withResolvers<void>();
    this.cancels.push(cancelling);
    signal.addEventListener("abort", () => {
      cancelling.reject(new PgwireError(PgwireErrorCode.Aborted, "the cancel was aborted"));
    });
    return cancelling.promise;
  }

  async close(): Promise<void> {
    this.closeCalls += 1;
    if (this.closesAtOnce) {
      this.#end({ type: "closed" });
    }
    await this.#closed.promise;
  }

  destroy(reason: unknown): void {
    this.destroyedFor = reason;
    this.#end({ type: "destroyed" });
  }

  /** The server or the network ends the session. */
  lose(): void {
    this.#end({ type: "lost", error: lost(true) });
  }

  finishClose(): void {
    this.#end({ type: "closed" });
  }

  #end(end: BackendEnd): void {
    if (this.#ended) {
      return;
    }
    this.#ended = true;
    for (const request of this.#inFlight) {
      request.fail(lost(true));
    }
    this.#closed.resolve(end);
  }
}

function lost(sent: boolean): PgwireError {
  return new PgwireError(PgwireErrorCode.ConnectionLost, "the connection is gone", { sent });
}
