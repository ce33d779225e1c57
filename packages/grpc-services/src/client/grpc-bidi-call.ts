import type { ClientDuplexStream } from "@grpc/grpc-js";
import { onAbort } from "@multipooler/timing";
import { once } from "node:events";
import { GrpcStatusError, grpcStatusError } from "../errors/grpc-status-error.ts";

/**
 * A call with messages both ways. What comes is read by looping over it, once: the loop ends with the
 * call, fails with a {@link GrpcStatusError}, and cancels the call when it is left.
 */
export interface BidiCall<Request, Response> extends AsyncIterable<Response> {
  /**
   * Sends a message. Resolves when the next may be sent; rejects with a {@link GrpcStatusError} when
   * the call is over, which the loop tells the reason of.
   */
  write(request: Request): Promise<void>;
  /** Nothing more will be sent. */
  end(): void;
  cancel(): void;
}

export interface GrpcBidiCallOptions<Request, Response> {
  readonly call: ClientDuplexStream<Request, Response>;
  readonly signal: AbortSignal | undefined;
}

/** A {@link BidiCall} over grpc-js. */
export class GrpcBidiCall<Request, Response> implements BidiCall<Request, Response> {
  readonly #call: ClientDuplexStream<Request, Response>;
  readonly #over = new AbortController();

  constructor({ call, signal }: GrpcBidiCallOptions<Request, Response>) {
    this.#call = call;
    // A status may still come when nobody reads any more.
    call.on("error", () => {});
    const stopListening = onAbort(signal, () => call.cancel());
    call.once("status", () => {
      stopListening();
      this.#over.abort();
    });
  }

  async write(request: Request): Promise<void> {
    const { signal } = this.#over;
    if (signal.aborted) {
      throw overError();
    }
    if (this.#call.write(request)) {
      return;
    }
    try {
      await once(this.#call, "drain", { signal });
    } catch {
      throw overError();
    }
  }

  end(): void {
    this.#call.end();
  }

  cancel(): void {
    this.#call.cancel();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Response, void, void> {
    try {
      const messages: AsyncIterable<Response> = this.#call;
      yield* messages;
    } catch (error) {
      throw grpcStatusError(error);
    } finally {
      this.#call.cancel();
    }
  }
}

function overError(): GrpcStatusError {
  return new GrpcStatusError("CANCELLED", "the call is over");
}
