import { Server, ServerCredentials, status } from "@grpc/grpc-js";
import type { Metadata, ServerUnaryCall, UntypedHandleCall, handleUnaryCall } from "@grpc/grpc-js";
import { PgCtldDefinition } from "@multipooler/proto/pgctldservice";
import { onAbort } from "@multipooler/timing";
import { PgctldError, PgctldErrorCode } from "../error.ts";
import type { Logger } from "../logger.ts";
import type { CallOptions, PostgresControl } from "../postgres-control.ts";
import { outcomeMetadata } from "./call-outcome.ts";
import { removeDeadSocket } from "./dead-socket.ts";
import { errorStatus } from "./error-status.ts";
import { PgctldCalls } from "./pgctld-calls.ts";
import type { Answer } from "./pgctld-calls.ts";

const MAX_MESSAGE_BYTES = 1_048_576;
const SOCKET_SCHEME = "unix:";

/** Where a server listens, and what it controls. */
export interface PgctldServerOptions {
  readonly control: PostgresControl;
  /** "127.0.0.1:15470", or "unix:/path/of/a/socket". Port 0 lets the system choose. */
  readonly address: string;
  readonly logger: Logger;
}

/** A method as ts-proto describes it. */
interface Method<Request, Response> {
  readonly name: string;
  readonly requestType: { decode(bytes: Uint8Array): Request };
  readonly responseType: { encode(message: Response): { finish(): Uint8Array } };
}

type Handle<Request, Response> = (
  request: Request,
  options: CallOptions,
) => Promise<Answer<Response>>;

/**
 * Serves `pgctldservice.PgCtld`. Its calls are those of operators and poolers of this machine: it has
 * neither TLS nor logins, so that it is to listen on loopback or on a socket.
 */
export class PgctldServer implements AsyncDisposable {
  readonly #options: PgctldServerOptions;
  readonly #server = new Server({
    "grpc.max_receive_message_length": MAX_MESSAGE_BYTES,
    "grpc.enable_channelz": 0,
  });
  #port: number | undefined;

  constructor(options: PgctldServerOptions) {
    this.#options = options;
    const calls = new PgctldCalls(options.control);
    const { methods } = PgCtldDefinition;
    this.#server.addService(
      Object.fromEntries(
        Object.values(methods).map(({ name }) => [name, definitionOf(name)] as const),
      ),
      {
        ...this.#unary(methods.start, (request, at) => calls.start(request, at)),
        ...this.#unary(methods.stop, (request, at) => calls.stop(request, at)),
        ...this.#unary(methods.restart, (request, at) => calls.restart(request, at)),
        ...this.#unary(methods.reloadConfig, (request, at) => calls.reloadConfig(request, at)),
        ...this.#unary(methods.status, (request, at) => calls.status(request, at)),
        ...this.#unary(methods.version, (request, at) => calls.version(request, at)),
        ...this.#unary(methods.initDataDir, (request, at) => calls.initDataDir(request, at)),
        ...this.#unary(methods.pgRewind, (request, at) => calls.pgRewind(request, at)),
        ...this.#unary(methods.stopRestoreCommand, (request, at) =>
          calls.stopRestoreCommand(request, at),
        ),
      },
    );
  }

  /** The port in use, also when the system chose it; `undefined` for a socket. */
  get port(): number | undefined {
    return this.#port;
  }

  /**
   * Begins to take calls. The socket of a daemon that was killed is taken over. Rejects with LISTEN_FAILED
   * when the address cannot be used.
   */
  async listen(): Promise<void> {
    const { address } = this.#options;
    if (address.startsWith(SOCKET_SCHEME)) {
      await removeDeadSocket(address.slice(SOCKET_SCHEME.length));
    }
    const { promise, resolve, reject } = Promise.withResolvers<number>();
    this.#server.bindAsync(address, ServerCredentials.createInsecure(), (error, port) => {
      if (error === null) {
        resolve(port);
      } else {
        const message = `the address ${address} cannot be listened on: ${error.message}`;
        reject(new PgctldError(PgctldErrorCode.ListenFailed, message, { cause: error }));
      }
    });
    const port = await promise;
    this.#port = address.startsWith(SOCKET_SCHEME) ? undefined : port;
  }

  /** Stops taking calls and lets running ones end until the signal aborts, then cuts them. */
  async close({ signal }: CallOptions = {}): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#server.tryShutdown(() => resolve());
    const stopListening = onAbort(signal, () => {
      this.#server.forceShutdown();
      resolve();
    });
    await promise;
    stopListening();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #unary<Request, Response>(
    { name, requestType, responseType }: Method<Request, Response>,
    handle: Handle<Request, Response>,
  ): Record<string, UntypedHandleCall> {
    const answer: handleUnaryCall<Buffer, Buffer> = (call, respond) => {
      const lifetime = new AbortController();
      call.once("cancelled", () => lifetime.abort(cancelled(call)));
      const run = async (): Promise<[response: Buffer, trailers: Metadata]> => {
        const request = decode(requestType, call.request);
        const result = await handle(request, { signal: lifetime.signal });
        const response = Buffer.from(responseType.encode(result).finish());
        return [response, outcomeMetadata(result.outcome)];
      };
      run().then(
        ([response, trailers]) => respond(null, response, trailers),
        (error: unknown) => {
          this.#log(name, error);
          respond(errorStatus(error));
        },
      );
    };
    return { [name]: answer };
  }

  #log(method: string, err: unknown): void {
    if (err instanceof PgctldError) {
      const { code, message } = err;
      this.#options.logger.warn({ method, code }, message);
    } else {
      this.#options.logger.warn({ method, err }, "a call failed unexpectedly");
    }
  }
}

/** Messages stay bytes here: they are decoded and encoded beside their handler. */
function definitionOf(name: string): {
  path: string;
  requestStream: boolean;
  responseStream: boolean;
  requestSerialize: (bytes: Buffer) => Buffer;
  requestDeserialize: (bytes: Buffer) => Buffer;
  responseSerialize: (bytes: Buffer) => Buffer;
  responseDeserialize: (bytes: Buffer) => Buffer;
} {
  const asIs = (bytes: Buffer): Buffer => bytes;
  return {
    path: `/${PgCtldDefinition.fullName}/${name}`,
    requestStream: false,
    responseStream: false,
    requestSerialize: asIs,
    requestDeserialize: asIs,
    responseSerialize: asIs,
    responseDeserialize: asIs,
  };
}

function decode<Request>(type: { decode(bytes: Uint8Array): Request }, bytes: Uint8Array): Request {
  try {
    return type.decode(bytes);
  } catch (cause) {
    throw new PgctldError(PgctldErrorCode.InvalidArgument, "the request cannot be decoded", {
      cause,
    });
  }
}

function cancelled(call: ServerUnaryCall<Buffer, Buffer>): Error {
  const deadline = call.getDeadline();
  const isOver = deadline instanceof Date ? deadline.getTime() : deadline;
  return new Error(
    isOver <= Date.now() ? "the deadline of the call is over" : `${status.CANCELLED}: cancelled`,
  );
}
