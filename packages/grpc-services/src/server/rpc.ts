/** The life of a call, for its handler. */
export interface CallContext {
  /**
   * Aborts when the call is cancelled, its deadline passes or its client goes away. The reason is
   * a DOMException: a `TimeoutError` for a deadline, an `AbortError` otherwise.
   */
  readonly signal: AbortSignal;
  /** The address of the client's connection, e.g. "127.0.0.1:40312": the same for all its calls. */
  readonly peer: string;
}

/** Where a handler writes the messages of a stream. */
export interface MessageSink<Message> {
  /**
   * Takes one message. `undefined` means: go on. A promise means that the client is behind; it
   * never rejects, and resolves when there is room again or the call ends, so that nobody waits for
   * a client that is gone. What is written after the end of the call is dropped.
   *
   * @throws MESSAGE_TOO_LARGE for a message that cannot be sent.
   */
  write(message: Message): Promise<void> | undefined;
}

/** Answers a call with one message. What it throws becomes the status of the call. */
export type UnaryHandler<Request, Response> = (
  request: Request,
  context: CallContext,
) => Promise<Response>;

/** Answers a call with a stream, which ends when the handler resolves. */
export type ServerStreamHandler<Request, Message> = (
  request: Request,
  sink: MessageSink<Message>,
  context: CallContext,
) => Promise<void>;
