import type {
  BidiStreamHandler,
  CallContext,
  MessageBytes,
  MessageSink,
  MessageSource,
  ServerStreamHandler,
  UnaryHandler,
} from "./rpc.ts";
import { GrpcServicesError, GrpcServicesErrorCode } from "../errors/error.ts";
import { RequestReader } from "./request-reader.ts";

/** One method as ts-proto's generic definitions describe it. */
export interface MethodDefinition<Request, Response> {
  readonly name: string;
  readonly requestType: { decode(request: RequestReader): Request };
  readonly requestStream: boolean;
  readonly responseType: { encode(message: Response): { finish(): Uint8Array } };
  readonly responseStream: boolean;
}

/** A service as ts-proto's generic definitions describe it; message types do not matter here. */
export interface ServiceDefinition {
  readonly fullName: string;
  readonly methods: Readonly<
    Record<
      string,
      Pick<MethodDefinition<never, never>, "name" | "requestStream" | "responseStream">
    >
  >;
}

/**
 * A handler with the encoding of its messages around it: bytes in, bytes out. `call` throws
 * MALFORMED_REQUEST for bytes that are not its message. It does not keep them: an async function
 * would, for as long as it waits.
 */
export type BoundHandler =
  | {
      readonly kind: "unary";
      call(request: Uint8Array, context: CallContext): Promise<Uint8Array>;
    }
  | {
      readonly kind: "serverStream";
      /** See {@link StreamOptions}. */
      readonly maxUnsentBytes: number | undefined;
      call(
        request: Uint8Array,
        sink: MessageSink<MessageBytes>,
        context: CallContext,
      ): Promise<void>;
    }
  | {
      readonly kind: "bidiStream";
      /** See {@link StreamOptions}. */
      readonly maxUnsentBytes: number | undefined;
      call(
        requests: MessageSource<Uint8Array>,
        sink: MessageSink<MessageBytes>,
        context: CallContext,
      ): Promise<void>;
    };

/** The handler of the method `name`. */
export interface HandledMethod {
  readonly name: string;
  readonly handler: BoundHandler;
}

/** One method of a service, with or without a handler. */
export interface BoundMethod {
  readonly name: string;
  readonly requestStream: boolean;
  readonly responseStream: boolean;
  /** `undefined` when this version does not offer the method. */
  readonly handler: BoundHandler | undefined;
}

/** A whole service, ready to be put on a wire. */
export interface BoundService {
  /** With its package, e.g. "multipoolerservice.MultipoolerService". */
  readonly name: string;
  readonly methods: readonly BoundMethod[];
  /** Only clients that prove who they are may call it, where the server asks for that. */
  readonly isGuarded?: boolean;
}

/** Handles a method that takes one message and answers one. */
export function unary<Request, Response>(
  method: MethodDefinition<Request, Response> & { requestStream: false; responseStream: false },
  handle: UnaryHandler<Request, Response>,
): HandledMethod {
  return {
    name: method.name,
    handler: {
      kind: "unary",
      call(bytes, context) {
        return encoded(method, handle(decode(method, bytes), context));
      },
    },
  };
}

export interface StreamOptions {
  /**
   * From how many bytes on that its client has not taken the sink asks the handler to wait; 1: from
   * the first. Undefined: what suits results, see `CallSink`.
   */
  readonly maxUnsentBytes?: number | undefined;
}

/**
 * Handles a method that takes one message and answers a stream.
 *
 * @param encode turns what the handler writes into the bytes of a response message.
 */
export function serverStream<Request, Message>(
  method: Pick<MethodDefinition<Request, never>, "name" | "requestType"> & {
    requestStream: false;
    responseStream: true;
  },
  encode: (message: Message) => MessageBytes,
  handle: ServerStreamHandler<Request, Message>,
  { maxUnsentBytes }: StreamOptions = {},
): HandledMethod {
  return {
    name: method.name,
    handler: {
      kind: "serverStream",
      maxUnsentBytes,
      call(bytes, sink, context) {
        const encoding = { write: (message: Message) => sink.write(encode(message)) };
        return handle(decode(method, bytes), encoding, context);
      },
    },
  };
}

/**
 * Handles a method that takes a stream and answers one.
 *
 * @param encode turns what the handler writes into the bytes of a response message.
 */
export function bidiStream<Request, Message>(
  method: Pick<MethodDefinition<Request, never>, "name" | "requestType"> & {
    requestStream: true;
    responseStream: true;
  },
  encode: (message: Message) => MessageBytes,
  handle: BidiStreamHandler<Request, Message>,
  { maxUnsentBytes }: StreamOptions = {},
): HandledMethod {
  return {
    name: method.name,
    handler: {
      kind: "bidiStream",
      maxUnsentBytes,
      call(requests, sink, context) {
        const decoding = {
          next: async () => {
            const bytes = await requests.next();
            return bytes === undefined ? undefined : decode(method, bytes);
          },
        };
        const encoding = { write: (message: Message) => sink.write(encode(message)) };
        return handle(decoding, encoding, context);
      },
    },
  };
}

/** A whole service, of which the methods that are not in `handled` are not offered. */
export function bindService(
  definition: ServiceDefinition,
  handled: readonly HandledMethod[],
): BoundService {
  const handlers = new Map(handled.map(({ name, handler }) => [name, handler]));
  return {
    name: definition.fullName,
    methods: Object.values(definition.methods).map((method) => ({
      name: method.name,
      requestStream: method.requestStream,
      responseStream: method.responseStream,
      handler: handlers.get(method.name),
    })),
  };
}

async function encoded<Response>(
  method: Pick<MethodDefinition<never, Response>, "responseType">,
  response: Promise<Response>,
): Promise<Uint8Array> {
  return method.responseType.encode(await response).finish();
}

function decode<Request>(
  method: Pick<MethodDefinition<Request, never>, "name" | "requestType">,
  bytes: Uint8Array,
): Request {
  try {
    return method.requestType.decode(new RequestReader(bytes));
  } catch (error) {
    throw new GrpcServicesError(
      GrpcServicesErrorCode.MalformedRequest,
      `the request of ${method.name} cannot be decoded`,
      { cause: error },
    );
  }
}
