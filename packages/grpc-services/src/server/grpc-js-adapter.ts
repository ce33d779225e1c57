import { Metadata, status as StatusCode } from "@grpc/grpc-js";
import type {
  Server,
  ServerDuplexStream,
  ServerUnaryCall,
  ServerWritableStream,
  ServiceDefinition,
  StatusObject,
  UntypedHandleCall,
  UntypedServiceImplementation,
  sendUnaryData,
} from "@grpc/grpc-js";
import { Code } from "@multipooler/proto/mtrpc";
import { CallLifetime } from "./call-lifetime.ts";
import { CallSink, checkMessageSize } from "./call-sink.ts";
import { CallSource } from "./call-source.ts";
import { GrpcServicesError, GrpcServicesErrorCode } from "../errors/error.ts";
import { errorStatus } from "../errors/error-status.ts";
import type { Logger } from "../logger.ts";
import { DETAILS_TRAILER, plainStatus } from "../errors/rpc-status.ts";
import type { RpcStatus } from "../errors/rpc-status.ts";
import type { BoundHandler, BoundMethod, BoundService } from "./service-binding.ts";
import type { UnsentBytes } from "./unsent-bytes.ts";

/** Bounds that all calls of a server share, and where their failures are logged. */
export interface AdapterOptions {
  /** The largest message that is sent. */
  readonly maxMessageBytes: number;
  /** Counts for all calls of the server. */
  readonly unsent: UnsentBytes;
  readonly logger: Logger;
}

/** Puts `service` on a grpc-js server: the one place where handlers and grpc-js meet. */
export function addService(server: Server, service: BoundService, options: AdapterOptions): void {
  const implementation: UntypedServiceImplementation = {};
  const definition: ServiceDefinition = Object.fromEntries(
    service.methods.map((method) => [method.name, bytesMethod(service.name, method)]),
  );
  for (const method of service.methods) {
    implementation[method.name] = grpcHandler(`${service.name}/${method.name}`, method, options);
  }
  server.addService(definition, implementation);
}

/**
 * The bytes of a request until its handler has decoded them. grpc-js holds on to the request for as
 * long as the call lasts, and a statement that waits needs its text only.
 */
class RequestBytes {
  #bytes: Buffer | undefined;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  /** Hands the bytes over. To be called once. */
  take(): Buffer {
    const bytes = this.#bytes;
    if (bytes === undefined) {
      throw new TypeError("the request was taken before");
    }
    this.#bytes = undefined;
    return bytes;
  }
}

/** A method whose messages stay bytes: encoding is the handlers' matter. */
function bytesMethod(
  service: string,
  { name, requestStream, responseStream }: BoundMethod,
): ServiceDefinition[string] {
  return {
    path: `/${service}/${name}`,
    requestStream,
    responseStream,
    requestSerialize: asBuffer,
    requestDeserialize: (bytes) => new RequestBytes(bytes),
    responseSerialize: asBuffer,
    responseDeserialize: asBuffer,
  };
}

type UnaryCall = ServerUnaryCall<RequestBytes, Uint8Array>;
type StreamCall = ServerWritableStream<RequestBytes, Uint8Array>;
type BidiCall = ServerDuplexStream<RequestBytes, Uint8Array>;
type Respond = sendUnaryData<Uint8Array>;
type Handler<Kind> = Extract<BoundHandler, { kind: Kind }>;

function grpcHandler(
  path: string,
  { handler, responseStream }: BoundMethod,
  options: AdapterOptions,
): UntypedHandleCall {
  const failed = (error: unknown): Partial<StatusObject> => {
    const status = errorStatus(error);
    if (status.code === Code.INTERNAL && !isFaultOfClient(error)) {
      options.logger.error({ err: error, method: path }, "a call failed for an internal reason");
    }
    return grpcStatus(status);
  };
  switch (handler?.kind) {
    case "unary":
      return (call: UnaryCall, respond: Respond) => {
        void answerUnary({ call, respond, handler, failed, ...options });
      };
    case "serverStream":
      return (call: StreamCall) => {
        void answerStream({ call, handler, failed, ...options });
      };
    case "bidiStream":
      return (call: BidiCall) => {
        void answerBidiStream({ call, handler, failed, ...options });
      };
    case undefined:
      return refusal(plainStatus(Code.UNIMPLEMENTED, `${path} is not implemented`), responseStream);
  }
}

interface Answer extends AdapterOptions {
  /** The status for an error; logs what clients are not told. */
  readonly failed: (error: unknown) => Partial<StatusObject>;
}

interface UnaryAnswer extends Answer {
  readonly call: UnaryCall;
  readonly respond: Respond;
  readonly handler: Handler<"unary">;
}

async function answerUnary(answer: UnaryAnswer): Promise<void> {
  const { call, respond, handler, failed, maxMessageBytes } = answer;
  const lifetime = new CallLifetime(call);
  try {
    const response = await handler.call(call.request.take(), lifetime);
    checkMessageSize(response, maxMessageBytes);
    if (!call.cancelled) {
      respond(null, response);
    }
  } catch (error) {
    const status = failed(error);
    if (!call.cancelled) {
      respond(status);
    }
  } finally {
    lifetime.end();
  }
}

interface StreamAnswer extends Answer {
  readonly call: StreamCall;
  readonly handler: Handler<"serverStream">;
}

function answerStream({ call, handler, ...answer }: StreamAnswer): Promise<void> {
  return answerWithSink({ ...answer, call, handler }, (sink, lifetime) =>
    handler.call(call.request.take(), sink, lifetime),
  );
}

interface BidiAnswer extends Answer {
  readonly call: BidiCall;
  readonly handler: Handler<"bidiStream">;
}

function answerBidiStream({ call, handler, ...answer }: BidiAnswer): Promise<void> {
  return answerWithSink({ ...answer, call, handler }, (sink, lifetime) => {
    const source = new CallSource<RequestBytes>({ call, signal: lifetime.signal });
    const requests = { next: async () => (await source.next())?.take() };
    return handler.call(requests, sink, lifetime);
  });
}

async function answerWithSink(
  answer: StreamAnswer | BidiAnswer,
  handle: (sink: CallSink, lifetime: CallLifetime) => Promise<void>,
): Promise<void> {
  const { call, handler, failed, maxMessageBytes, unsent } = answer;
  const lifetime = new CallLifetime(call);
  const { signal } = lifetime;
  const { maxUnsentBytes } = handler;
  const sink = new CallSink({ call, signal, maxMessageBytes, maxUnsentBytes, unsent });
  try {
    await handle(sink, lifetime);
    if (!call.cancelled) {
      call.end();
    }
  } catch (error) {
    const status = failed(error);
    if (!call.cancelled) {
      endStream(call, status);
    }
  } finally {
    lifetime.end();
  }
}

function refusal(status: RpcStatus, responseStream: boolean): UntypedHandleCall {
  const refused = grpcStatus(status);
  return responseStream
    ? (call: StreamCall) => endStream(call, refused)
    : (_call: UnaryCall, respond: Respond) => respond(refused);
}

/** Ends a stream with a status, after what was written: grpc-js takes it as an "error" event. */
function endStream(call: StreamCall | BidiCall, status: Partial<StatusObject>): void {
  call.emit("error", status);
}

/** A status as grpc-js takes it. */
export function grpcStatus({ code, message, details }: RpcStatus): StatusObject {
  const metadata = new Metadata();
  if (details !== undefined) {
    metadata.set(DETAILS_TRAILER, asBuffer(details));
  }
  return { code: isStatusCode(code) ? code : StatusCode.UNKNOWN, details: message, metadata };
}

/** Whether the client was told everything, so that there is nothing for an operator to read. */
function isFaultOfClient(error: unknown): boolean {
  return (
    error instanceof GrpcServicesError &&
    (error.code === GrpcServicesErrorCode.MalformedRequest ||
      error.code === GrpcServicesErrorCode.IncompleteRequest)
  );
}

function isStatusCode(code: number): code is StatusCode {
  return code in StatusCode;
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes)
    ? bytes
    : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
