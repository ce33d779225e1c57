import type { CopyEvent, EventReceiver, EventRequest, RequestEnd } from "@multipooler/pgwire";
import type { ResultEvent } from "@multipooler/query-service";
import type { Clock } from "@multipooler/timing";
import { abortError } from "../error.ts";
import type { MultiPoolerError } from "../error.ts";
import type { Backend } from "../pool/backend.ts";
import {
  answerFailure,
  interruptedFailure,
  isCut,
  receiverError,
  slowReceiverError,
} from "./call-error.ts";
import type { AnswerFacts } from "./call-error.ts";
import { Interruption } from "./interruption.ts";
import { Receiver } from "./receiver.ts";
import type { EventSink, ReceiverOwner } from "./receiver.ts";
import type { TerminateProcess } from "./terminations.ts";

/** Takes the end of a {@link RequestRun}: one of these is called, and once. Neither may throw. */
export interface RunOwner {
  /** It was interrupted before anything was sent: it had no backend, or was taken back from that. */
  withdrawn(reason: MultiPoolerError): void;
  /** It was answered, or has lost its backend, and no cancel of it is under way any more. */
  ended(end: RequestEnd, error: MultiPoolerError | undefined): void;
}

/** What interrupting takes. */
export interface InterruptEngine {
  readonly clock: Clock;
  readonly terminate: TerminateProcess;
}

export interface RequestRunOptions<More extends CopyEvent = never> {
  readonly engine: InterruptEngine;
  readonly sink: EventSink<More>;
  /** Interrupts the request. */
  readonly signal: AbortSignal | undefined;
  /** Takes the ParameterDescription of a statement that is described. */
  readonly onDescribed?: ((parameters: Uint8Array) => void) | undefined;
  /** The server is about to be asked to cancel the request. */
  readonly onInterrupt?: (() => void) | undefined;
}

/**
 * | state   | the request                              | next          |
 * | ------- | ---------------------------------------- | ------------- |
 * | waiting | has no backend                           | sent, over    |
 * | sent    | is on its way, or running                | over          |
 * | over    | is answered, lost or taken back          | waiting       |
 */
type State =
  | { readonly type: "waiting" }
  | { readonly type: "over" }
  | { readonly type: "sent"; readonly backend: Backend; readonly request: EventRequest };

const WAITING: State = { type: "waiting" };
const OVER: State = { type: "over" };
const ONCE = { once: true } as const;

/**
 * One request of a caller, from before it has a backend: hands its answer to the sink, interrupts it
 * if it has to, and says how it ended. Without an interruption it makes no promise.
 *
 * On a backend that it shares it does nothing that others would notice. When its caller gives up, the
 * server is only asked to cancel it, and only if nothing is in flight behind it. When the pooler cuts
 * it, that cuts the others too.
 */
export class RequestRun<More extends CopyEvent = never> implements EventReceiver, ReceiverOwner {
  readonly #options: RequestRunOptions<More>;
  readonly #owner: RunOwner;
  readonly #receiver: Receiver<More>;
  #state: State = WAITING;
  /** Why it was interrupted from outside. */
  #reason: MultiPoolerError | undefined;
  /** The pooler is one of those who interrupted it. */
  #isCutOff = false;
  #sinkFailure: MultiPoolerError | undefined;
  #interruption: Interruption | undefined;
  /** It has settled, and its sink is behind. */
  #end: RequestEnd | undefined;

  constructor(options: RequestRunOptions<More>, owner: RunOwner) {
    this.#options = options;
    this.#owner = owner;
    this.#receiver = new Receiver(options.sink, this);
  }

  /** What its answer has told so far. */
  get facts(): AnswerFacts {
    return this.#receiver;
  }

  /** Bytes of its answer so far. */
  get bytes(): number {
    return this.#receiver.bytes;
  }

  /** Whether it was interrupted from outside. */
  get isCut(): boolean {
    return this.#reason !== undefined;
  }

  /** Whether it was interrupted, or its sink has failed. */
  get isBroken(): boolean {
    return this.isCut || this.#sinkFailure !== undefined;
  }

  /** Begins to heed the signal, which must not have aborted. */
  listen(): void {
    this.#options.signal?.addEventListener("abort", this, ONCE);
  }

  /** Heeds the signal no more. */
  stopListening(): void {
    this.#options.signal?.removeEventListener("abort", this);
  }

  /** The caller's signal has aborted. */
  handleEvent(): void {
    const { signal } = this.#options;
    if (signal !== undefined) {
      this.cut(abortError(signal));
    }
  }

  /** Sends the request, whose receiver this is. */
  send(
    backend: Backend,
    request: EventRequest,
    { isShared }: { readonly isShared: boolean },
  ): void {
    this.#receiver.isShared = isShared;
    this.#state = { type: "sent", backend, request };
    backend.send(request);
  }

  /** It waits for another backend, since nothing of it was sent. */
  waitAgain(): void {
    this.#state = WAITING;
  }

  /** Interrupts the request. Only the first reason counts. */
  cut(reason: MultiPoolerError): void {
    const state = this.#state;
    if (state.type === "over") {
      return;
    }
    this.#isCutOff ||= isCut(reason);
    if (this.#reason !== undefined) {
      this.#interrupt();
      return;
    }
    this.#reason = reason;
    if (state.type === "waiting" || state.backend.withdraw(state.request)) {
      this.#state = OVER;
      this.#owner.withdrawn(reason);
      return;
    }
    if (isCut(reason)) {
      this.#receiver.hurry();
    } else {
      this.#receiver.stop();
    }
    this.#interrupt();
  }

  sinkFailed(cause: unknown): void {
    this.#sinkFailure = receiverError(cause);
    this.#interrupt();
  }

  sinkTooSlow(): void {
    this.#sinkFailure = slowReceiverError();
    this.#interrupt();
  }

  caughtUp(): void {
    if (this.#end !== undefined) {
      this.#finish(this.#end);
    }
  }

  event(event: ResultEvent | More): Promise<void> | undefined {
    return this.#receiver.event(event);
  }

  described(parameters: Uint8Array): void {
    this.#options.onDescribed?.(parameters);
  }

  settle(end: RequestEnd): void {
    if (this.#receiver.isKeeping) {
      this.#end = end;
    } else {
      this.#finish(end);
    }
  }

  #finish(end: RequestEnd): void {
    this.#state = OVER;
    if (this.#interruption === undefined) {
      this.#owner.ended(end, this.#errorOf(end));
    } else {
      void this.#interruption.end().then(() => this.#owner.ended(end, this.#errorOf(end)));
    }
  }

  #errorOf(end: RequestEnd): MultiPoolerError | undefined {
    if (this.#sinkFailure !== undefined) {
      return this.#sinkFailure;
    }
    return this.#reason === undefined
      ? answerFailure(end, this.#receiver)
      : interruptedFailure(end, this.#reason, this.#receiver);
  }

  #interrupt(): void {
    const state = this.#state;
    if (state.type !== "sent" || this.#end !== undefined) {
      return;
    }
    const mayEnd = !this.#receiver.isShared || this.#isCutOff;
    if (this.#interruption === undefined || (mayEnd && !this.#interruption.mayEnd)) {
      const { backend, request } = state;
      const { engine, onInterrupt } = this.#options;
      const { clock, terminate } = engine;
      onInterrupt?.();
      this.#interruption = new Interruption({ backend, request, clock, terminate, mayEnd });
    }
  }
}
