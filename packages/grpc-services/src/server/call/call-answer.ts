import type { ServerHttp2Stream } from "node:http2";
import { Code } from "@multipooler/proto/mtrpc";
import { systemClock } from "@multipooler/timing";
import type { StallWatch, Taker } from "@multipooler/timing";
import { GrpcServicesError, GrpcServicesErrorCode } from "../../errors/error.ts";
import { errorStatus } from "../../errors/error-status.ts";
import type { RpcStatus } from "../../errors/rpc-status.ts";
import type { Logger } from "../../logger.ts";
import type { CallContext } from "../rpc.ts";
import type { BoundHandler } from "../service-binding.ts";
import type { CallDeadlines } from "./call-deadlines.ts";
import { CallLifetime } from "./call-lifetime.ts";
import { CallResponse } from "./call-response.ts";
import { CallSink, checkMessageSize } from "./call-sink.ts";
import { CallSource } from "./call-source.ts";
import type { MethodTimes } from "./call-times.ts";
import { decompress } from "./compressed-message.ts";
import { IncomingMessages } from "./incoming-messages.ts";
import type { IncomingMessage } from "./incoming-messages.ts";
import type { ReceivingBytes } from "./receiving-bytes.ts";
import type { UnsentBytes } from "./unsent-bytes.ts";

/** Bounds that all calls of a server share, and where their failures are logged. */
export interface CallLimits {
  /** The largest message that is sent or taken. */
  readonly maxMessageBytes: number;
  readonly unsent: UnsentBytes;
  readonly receiving: ReceivingBytes;
  readonly deadlines: CallDeadlines;
  /** Finds the calls whose client reads nothing. */
  readonly stalls: StallWatch;
  readonly logger: Logger;
}

export interface CallAnswerOptions extends CallLimits {
  readonly stream: ServerHttp2Stream;
  readonly handler: BoundHandler;
  /** "service/Method", for the log. */
  readonly method: string;
  /** Where it is counted how long the call took. */
  readonly times: MethodTimes;
  readonly peer: string;
  readonly timeoutMs: number | undefined;
  readonly encoding: string;
}

/**
 * Answers one call: reads what its client sends, has the handler run, and sends what comes of it. The
 * deadline of the client ends the call at once, whatever the handler does. So does a client that reads nothing for too
 * long, and what waits for it is dropped when it leaves that unread as long again.
 */
export class CallAnswer implements CallContext, Taker {
  readonly #options: CallAnswerOptions;
  readonly #lifetime: CallLifetime;
  readonly #response: CallResponse;
  readonly #messages: IncomingMessages;
  readonly #sink: CallSink;
  readonly #startedAt = performance.now();
  #isCounted = false;
  #source: CallSource | undefined;

  constructor(options: CallAnswerOptions) {
    const { stream, handler, peer, timeoutMs, deadlines, maxMessageBytes } = options;
    const { receiving, unsent, stalls } = options;
    this.#options = options;
    this.#response = new CallResponse(stream);
    this.#lifetime = new CallLifetime({
      timeoutMs,
      onTimeout: () => this.#onTimeout(),
      deadlines,
      clock: systemClock,
    });
    this.#sink = new CallSink({
      call: this.#response,
      maxMessageBytes,
      maxUnsentBytes: handler.kind === "unary" ? undefined : handler.maxUnsentBytes,
      unsent,
      onBehind: () => stalls.add(this),
      onCaughtUp: () => this.#onCaughtUp(),
    });
    this.#messages = new IncomingMessages({
      stream,
      origin: peer,
      receiving,
      maxMessageBytes,
      isSingle: handler.kind !== "bidiStream",
      take: (message) => this.#take(message),
      end: () => this.#source?.take(undefined),
      fail: (error) => this.#fail(error),
    });
  }

  get signal(): AbortSignal {
    return this.#lifetime.signal;
  }

  get peer(): string {
    return this.#options.peer;
  }

  get takenBytes(): number {
    return this.#response.sentBytes;
  }

  onStalled(): void {
    if (this.#response.isEnded) {
      this.#response.reset();
      return;
    }
    const { method, peer, stalls, logger } = this.#options;
    const { limitMs } = stalls;
    logger.warn({ method, peer, limitMs }, "a call was ended: its client does not read");
    this.#fail(
      new GrpcServicesError(
        GrpcServicesErrorCode.SubscriberBehind,
        `the client has read nothing of the answer for ${limitMs} ms (clientStallTimeoutMs)`,
      ),
    );
  }

  /** Begins to read. */
  start(): void {
    const { stream, handler } = this.#options;
    const messages = this.#messages;
    stream.on("data", messages.onData);
    stream.on("end", () => {
      // A stream that was reset ends as well, a moment before it is closed.
      if (!stream.aborted) {
        messages.onEnd();
      }
    });
    stream.on("close", () => this.#onClose());
    if (handler.kind === "bidiStream") {
      stream.pause();
      const source = new CallSource({ want: () => messages.want(), signal: this.signal });
      this.#source = source;
      this.#answer(() => handler.call(source, this.#sink, this));
    }
  }

  #take({ isCompressed, bytes }: IncomingMessage): void {
    if (!isCompressed) {
      this.#pass(bytes);
      return;
    }
    const { encoding, maxMessageBytes: maxBytes } = this.#options;
    decompress(bytes, { encoding, maxBytes }).then(
      (whole) => this.#pass(whole),
      (error: unknown) => this.#fail(error),
    );
  }

  #pass(bytes: Uint8Array): void {
    const { handler } = this.#options;
    if (this.#source !== undefined) {
      this.#source.take(bytes);
    } else if (handler.kind === "unary") {
      this.#answer(() => this.#unary(handler.call(bytes, this)));
    } else if (handler.kind === "serverStream") {
      this.#answer(() => handler.call(bytes, this.#sink, this));
    }
  }

  async #unary(response: Promise<Uint8Array>): Promise<void> {
    const message = await response;
    checkMessageSize(message.byteLength, this.#options.maxMessageBytes);
    this.#response.write(message, () => undefined);
  }

  /** A function that is not async: one would keep the request for as long as it waits. */
  #answer(run: () => Promise<void>): void {
    try {
      run().then(
        () => this.#end(undefined),
        (error: unknown) => this.#end(this.#statusOf(error)),
      );
    } catch (error) {
      this.#end(this.#statusOf(error));
    }
  }

  /** The status for an error; logs what clients are not told. */
  #statusOf(error: unknown): RpcStatus {
    const status = errorStatus(error);
    if (status.code === Code.INTERNAL && !isFaultOfClient(error)) {
      const { method, logger } = this.#options;
      logger.error({ err: error, method }, "a call failed for an internal reason");
    }
    return status;
  }

  /** @param status `undefined`: it went well */
  #end(status: RpcStatus | undefined): void {
    this.#count(status?.code ?? Code.OK);
    this.#lifetime.end();
    this.#messages.close();
    this.#response.end(status);
    if (this.#sink.hasMuchUnsent) {
      this.#options.stalls.add(this);
    }
  }

  /** What the client sends is wrong: the handler, if it runs, is to stop. */
  #fail(error: unknown): void {
    this.#sink.stop();
    this.#end(errorStatus(error));
    this.#lifetime.cancel();
  }

  #onTimeout(): void {
    this.#sink.stop();
    this.#end(errorStatus(this.signal.reason));
  }

  #onCaughtUp(): void {
    if (!this.#response.isEnded) {
      this.#options.stalls.remove(this);
    }
  }

  /** The stream is gone: the call was answered, or the client has cancelled it, or is gone itself. */
  #onClose(): void {
    if (!this.#response.isEnded) {
      this.#lifetime.cancel();
      this.#count(errorStatus(this.signal.reason).code);
    }
    this.#messages.close();
    this.#sink.close();
    this.#options.stalls.remove(this);
  }

  /** Counts the call by the status that it ends with, which its client may have given up to wait for. */
  #count(status: number): void {
    if (!this.#isCounted) {
      this.#isCounted = true;
      this.#options.times.note(status, performance.now() - this.#startedAt);
    }
  }
}

/** Whether the client was told everything, so that there is nothing for an operator to read. */
function isFaultOfClient(error: unknown): boolean {
  return (
    error instanceof GrpcServicesError &&
    (error.code === GrpcServicesErrorCode.MalformedRequest ||
      error.code === GrpcServicesErrorCode.IncompleteRequest)
  );
}
