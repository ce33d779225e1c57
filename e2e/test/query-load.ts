import { connect } from "@multipooler/grpc-services/client";

/** One query after the other through a pooler, until it is stopped. */
export class QueryLoad implements AsyncDisposable {
  readonly #stop = new AbortController();
  readonly #running: Promise<void>;
  #waiting = Promise.withResolvers<void>();
  #answered = 0;

  constructor(address: string) {
    this.#running = this.#run(address);
    this.#running.catch((error: unknown) => this.#waiting.reject(error));
  }

  /** Resolves after this many further answers; rejects when a query fails. */
  async answers(count: number): Promise<void> {
    const wanted = this.#answered + count;
    while (this.#answered < wanted) {
      await this.#waiting.promise;
    }
  }

  /** Ends it; rejects when any query failed. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#running.catch(() => undefined);
  }

  async #run(address: string): Promise<void> {
    using client = connect({ address });
    while (!this.#stop.signal.aborted) {
      let rows = 0;
      for await (const { result } of client.streamExecute({ query: "select 1" })) {
        if (result?.payload?.$case === "result") {
          rows += result.payload.value.rows.length;
        }
      }
      if (rows !== 1) {
        throw new Error(`a query was answered with ${rows} rows`);
      }
      this.#answered += 1;
      this.#waiting.resolve();
      this.#waiting = Promise.withResolvers();
    }
  }
}
