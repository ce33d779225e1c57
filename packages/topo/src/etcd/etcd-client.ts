import { Metadata, status } from "@grpc/grpc-js";
import type { Client, ClientDuplexStream } from "@grpc/grpc-js";
import { Deadline, onAbort } from "@multipooler/timing";
import type { Clock } from "@multipooler/timing";
import { TopoError, TopoErrorCode } from "../error.ts";
import type { Endpoints } from "./endpoints.ts";
import { callError, isServiceError } from "./etcd-error.ts";
import type { EtcdCredentials } from "./etcd-options.ts";
import { procedures } from "./procedures.ts";
import type { Procedure } from "./procedures.ts";

/** How long a call may take where its caller sets no shorter deadline, in milliseconds. */
const CALL_TIMEOUT_MS = 10_000;

/** The key that errors of a call name, and the signal that ends it. */
export interface CallOptions {
  readonly key: string;
  readonly signal: AbortSignal;
}

export interface EtcdClientOptions {
  readonly endpoints: Endpoints;
  readonly credentials: EtcdCredentials | undefined;
  readonly clock: Clock;
}

/**
 * Calls to a cluster. Nothing is sent twice, save after a refusal of the token, which is renewed
 * once: whether a write whose answer is lost has happened is for its caller to find out.
 */
export class EtcdClient {
  readonly #endpoints: Endpoints;
  readonly #credentials: EtcdCredentials | undefined;
  readonly #clock: Clock;
  #token: string | undefined;

  constructor({ endpoints, credentials, clock }: EtcdClientOptions) {
    this.#endpoints = endpoints;
    this.#credentials = credentials;
    this.#clock = clock;
  }

  /** Calls a procedure of one request and one answer. */
  async call<Request, Response>(
    procedure: Procedure<Request, Response>,
    request: Request,
    { key, signal }: CallOptions,
  ): Promise<Response> {
    const what = `a call of ${procedure.path}`;
    using deadline = new Deadline({ clock: this.#clock, ms: CALL_TIMEOUT_MS, what, signal });
    const options = { key, signal: deadline.signal };
    const client = await this.#endpoints.connected(key, deadline.signal);
    try {
      return await this.#callWithToken(client, procedure, request, options);
    } catch (error) {
      throw this.#failure(client, error, options);
    }
  }

  /** Sends one request on a stream and reads the answers, until the reader leaves or it fails. */
  async *converse<Request, Response>(
    procedure: Procedure<Request, Response>,
    request: Request,
    { key, signal }: CallOptions,
  ): AsyncGenerator<Response, void, undefined> {
    const client = await this.#endpoints.connected(key, signal);
    let stream: ClientDuplexStream<Request, Response> | undefined;
    const stopListening = onAbort(signal, () => stream?.cancel());
    try {
      const metadata = await this.#metadata(client, { key, signal });
      signal.throwIfAborted();
      // A member that has lost the others ends the stream instead of keeping silent.
      metadata.set("hasleader", "true");
      stream = client.makeBidiStreamRequest(
        procedure.path,
        (message: Request) => Buffer.from(procedure.request.encode(message).finish()),
        (bytes: Buffer) => procedure.response.decode(bytes),
        metadata,
      );
      // Cancelling is an error of the stream too, which nobody reads any more then.
      stream.on("error", () => {});
      stream.write(request);
      const answers: AsyncIterable<Response> = stream;
      yield* answers;
    } catch (error) {
      throw this.#failure(client, error, { key, signal });
    } finally {
      stopListening();
      stream?.cancel();
    }
  }

  async #callWithToken<Request, Response>(
    client: Client,
    procedure: Procedure<Request, Response>,
    request: Request,
    options: CallOptions,
  ): Promise<Response> {
    const metadata = await this.#metadata(client, options);
    try {
      return await send(client, procedure, request, { metadata, signal: options.signal });
    } catch (error) {
      if (!this.#isTokenRefused(error)) {
        throw error;
      }
      this.#token = undefined;
    }
    const renewed = await this.#metadata(client, options);
    return send(client, procedure, request, { metadata: renewed, signal: options.signal });
  }

  /** A token that is unknown, or older than the last change of users and roles. */
  #isTokenRefused(error: unknown): boolean {
    if (this.#credentials === undefined || !isServiceError(error)) {
      return false;
    }
    return error.code === status.UNAUTHENTICATED || error.code === status.INVALID_ARGUMENT;
  }

  async #metadata(client: Client, { key, signal }: CallOptions): Promise<Metadata> {
    const metadata = new Metadata();
    const credentials = this.#credentials;
    if (credentials === undefined) {
      return metadata;
    }
    this.#token ??= await logIn(client, credentials, { key, signal });
    if (this.#token !== "") {
      metadata.set("token", this.#token);
    }
    return metadata;
  }

  #failure(client: Client, error: unknown, { key, signal }: CallOptions): TopoError {
    const failure = callError(key, error, signal);
    const { Unavailable, Timeout } = TopoErrorCode;
    if (failure.code === Unavailable || failure.code === Timeout) {
      this.#endpoints.failed(client);
    }
    return failure;
  }
}

/** A token; none where the cluster asks for no password. */
async function logIn(
  client: Client,
  { username, password }: EtcdCredentials,
  { key, signal }: CallOptions,
): Promise<string> {
  try {
    const request = { name: username, password };
    const metadata = new Metadata();
    return (await send(client, procedures.authenticate, request, { metadata, signal })).token;
  } catch (error) {
    if (!isServiceError(error)) {
      throw error;
    }
    if (error.code === status.FAILED_PRECONDITION) {
      return "";
    }
    if (error.code !== status.INVALID_ARGUMENT) {
      throw error;
    }
    const message = `etcd refused to log in ${username}: ${error.details}`;
    throw new TopoError({ code: TopoErrorCode.Denied, key, message, cause: error });
  }
}

/** Sends a request over one client and waits for the answer; an abort cancels the call. */
async function send<Request, Response>(
  client: Client,
  { path, request, response }: Procedure<Request, Response>,
  message: Request,
  { metadata, signal }: { readonly metadata: Metadata; readonly signal: AbortSignal },
): Promise<Response> {
  signal.throwIfAborted();
  const { promise, resolve, reject } = Promise.withResolvers<Response>();
  const call = client.makeUnaryRequest(
    path,
    (value: Request) => Buffer.from(request.encode(value).finish()),
    (bytes: Buffer) => response.decode(bytes),
    message,
    metadata,
    (error, answer) => {
      if (error !== null) {
        reject(error);
      } else if (answer === undefined) {
        reject(new Error(`${path} was answered by nothing`));
      } else {
        resolve(answer);
      }
    },
  );
  const stopListening = onAbort(signal, () => call.cancel());
  try {
    return await promise;
  } finally {
    stopListening();
  }
}
