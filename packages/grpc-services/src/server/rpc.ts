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

/**
 * The bytes of one message: in one piece, or in several that are sent one behind the other. Those are the
 * sink's from then on, which returns their memory where they are all that is in it.
 */
export type MessageBytes = Uint8Array | readonly Uint8Array[];

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

/** Where a handler takes the messages of its client from. */
export interface MessageSource<Message> {
  /**
   * The next message; `undefined`: the client has sent its last. Nothing is read from the client
   * beyond the message that is asked for, so a handler that is behind holds its client up. To be
   * called again when the call before has settled. Rejects with CANCELLED or RECEIVE_TIMEOUT when the
   * signal of the call aborts, and with MALFORMED_REQUEST. Some clients say that nothing follows just
   * before they cancel.
   */
  next(): Promise<Message | undefined>;
}

/**
 * Answers the messages of a client with a stream, in any order. The stream ends when the handler
 * resolves, whatever the client still sends.
 */
export type BidiStreamHandler<Request, Message> = (
  requests: MessageSource<Request>,
  sink: MessageSink<Message>,
  context: CallContext,
) => Promise<void>;
