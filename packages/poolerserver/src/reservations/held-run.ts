import type { CopyEvent, EventRequest, RequestEnd, TransactionStatus } from "@multipooler/pgwire";
import { abortError } from "../error.ts";
import type { MultiPoolerError } from "../error.ts";
import { RequestRun } from "../execution/request-run.ts";
import type { RequestRunOptions, RunOwner } from "../execution/request-run.ts";
import type { Backend } from "../pool/backend.ts";
import { isUnsent } from "../postgres-error.ts";

export interface HeldRunOptions<More extends CopyEvent = never> extends RequestRunOptions<More> {
  readonly backend: Backend;
}

/**
 * How a request on a held backend ended.
 *
 * | fate      | the request                             | the backend                    |
 * | --------- | --------------------------------------- | ------------------------------ |
 * | done      | succeeded                               | is as `transactionStatus` says |
 * | failed    | failed as the server says               | is as `transactionStatus` says |
 * | broken    | was interrupted, or its receiver failed | is as `transactionStatus` says |
 * | withdrawn | was interrupted before it was sent      | is as before                   |
 * | unsent    | certainly did not reach the server      | is gone                        |
 * | lost      | has an outcome that `error` tells       | is gone                        |
 */
export interface HeldEnd {
  readonly fate: "done" | "failed" | "broken" | "withdrawn" | "unsent" | "lost";
  readonly error: MultiPoolerError | undefined;
  readonly transactionStatus: TransactionStatus;
  readonly settingsReported: boolean;
  /** The portal has more rows than were asked for. */
  readonly isSuspended: boolean;
  /** The request has committed a transaction. */
  readonly hasCommitted: boolean;
}

/** One request on a backend that is held, and what its end means for that. */
export class HeldRun<More extends CopyEvent = never> implements RunOwner {
  readonly #options: HeldRunOptions<More>;
  readonly #run: RequestRun<More>;
  readonly #ended = Promise.withResolvers<HeldEnd>();

  constructor(options: HeldRunOptions<More>) {
    this.#options = options;
    this.#run = new RequestRun(options, this);
  }

  /** Takes the answer of the request. */
  get receiver(): RequestRun<More> {
    return this.#run;
  }

  /**
   * Sends the request, which has `receiver`. Called once. Resolves when the backend can be used for
   * something else, or is gone; never rejects.
   */
  send(request: EventRequest): Promise<HeldEnd> {
    const { backend, signal } = this.#options;
    if (signal?.aborted === true) {
      this.withdrawn(abortError(signal));
    } else {
      this.#run.listen();
      this.#run.send(backend, request, { isShared: false });
    }
    return this.#ended.promise;
  }

  /** Interrupts the request. Only the first reason counts. */
  cut(reason: MultiPoolerError): void {
    this.#run.cut(reason);
  }

  withdrawn(reason: MultiPoolerError): void {
    this.#finish("withdrawn", reason);
  }

  ended(end: RequestEnd, error: MultiPoolerError | undefined): void {
    if (end.type === "lost") {
      this.#finish(isUnsent(end.error) ? "unsent" : "lost", error);
      return;
    }
    const { isBroken } = this.#run;
    // An interruption that came to nothing has cut the connection.
    if (isBroken && !this.#options.backend.idle) {
      this.#finish("lost", error, end);
    } else if (error === undefined) {
      this.#finish("done", error, end);
    } else {
      this.#finish(isBroken ? "broken" : "failed", error, end);
    }
  }

  #finish(
    fate: HeldEnd["fate"],
    error: MultiPoolerError | undefined,
    end?: Exclude<RequestEnd, { type: "lost" }>,
  ): void {
    this.#run.stopListening();
    const { hasCommitted, isSuspended } = this.#run.facts;
    this.#ended.resolve({
      fate,
      error,
      transactionStatus: end?.transactionStatus ?? this.#options.backend.transactionStatus,
      settingsReported: end?.settingsReported ?? false,
      isSuspended,
      hasCommitted,
    });
  }
}
