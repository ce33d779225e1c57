/** What the requests of a call are written to. */
export interface RequestWriter<Request> {
  write(request: Request): boolean;
  end(): unknown;
  cancel(): void;
  on(event: "drain", listener: () => void): unknown;
}

/** Writes requests to a call, and waits while that is behind. */
export class RequestSender<Request> {
  readonly #call: RequestWriter<Request>;
  #isStopped = false;
  #failure: { readonly cause: unknown } | undefined;
  #behind: PromiseWithResolvers<void> | undefined;

  constructor(call: RequestWriter<Request>) {
    this.#call = call;
    call.on("drain", () => this.#proceed());
  }

  /** What `requests` has thrown, after which the call was cancelled. */
  get failure(): { readonly cause: unknown } | undefined {
    return this.#failure;
  }

  /** Resolves when all requests are written, or nobody wants them any more. Never rejects. */
  async send(requests: AsyncIterable<Request>): Promise<void> {
    try {
      for await (const request of requests) {
        if (this.#isStopped) {
          return;
        }
        if (!this.#call.write(request)) {
          this.#behind = Promise.withResolvers();
          await this.#behind.promise;
        }
      }
      this.#call.end();
    } catch (cause) {
      this.#failure = { cause };
      this.#call.cancel();
    }
  }

  /** The call is over. */
  stop(): void {
    this.#isStopped = true;
    this.#proceed();
  }

  #proceed(): void {
    this.#behind?.resolve();
    this.#behind = undefined;
  }
}
