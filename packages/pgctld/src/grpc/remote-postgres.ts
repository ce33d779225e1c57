import { Client, credentials, Metadata, status } from "@grpc/grpc-js";
import type { ServiceError } from "@grpc/grpc-js";
import { PgCtldDefinition, ServerStatus } from "@multipooler/proto/pgctldservice";
import type { StatusResponse } from "@multipooler/proto/pgctldservice";
import { onAbort } from "@multipooler/timing";
import { PgctldError, PgctldErrorCode, throwIfAborted } from "../error.ts";
import type {
  CallOptions,
  InitializeRequest,
  PostgresControl,
  PostgresStatus,
  RestartRequest,
  StartRequest,
  StartResult,
  StopRequest,
  StopResult,
} from "../postgres-control.ts";
import type { RewindRequest, RewindResult } from "../rewind/rewind.ts";
import type { RestoreCommandStop } from "../server/restore-command.ts";
import { CallOutcome, outcomeOf } from "./call-outcome.ts";
import { durationOf, millisecondsOf } from "./duration.ts";
import { statusError } from "./error-status.ts";

/** A method as ts-proto describes it. */
interface Method<Request, Response> {
  readonly name: string;
  readonly requestType: { encode(message: Request): { finish(): Uint8Array } };
  readonly responseType: { decode(bytes: Uint8Array): Response };
}

/** A response, and what became of the call where the message has no field for that. */
interface Answered<Response> {
  readonly response: Response;
  readonly outcome: CallOutcome | undefined;
}

const { methods } = PgCtldDefinition;

/** A channel that met a daemon that was down would not look again for a second or more. */
const CHANNEL_OPTIONS = { "grpc.use_local_subchannel_pool": 1 } as const;

/** Controls a PostgreSQL server through the daemon that serves `pgctldservice.PgCtld`. */
export class RemotePostgres implements PostgresControl, Disposable {
  readonly #address: string;
  readonly #now: () => number;
  readonly #closing = new AbortController();

  /** `address`: "127.0.0.1:15470", or "unix:/path/of/a/socket". Each call connects for itself. */
  constructor(address: string, { now = Date.now }: { readonly now?: () => number } = {}) {
    this.#address = address;
    this.#now = now;
  }

  async status(options: CallOptions = {}): Promise<PostgresStatus> {
    const { response } = await this.#call(methods.status, {}, options);
    return statusOf(response, this.#now());
  }

  async initialize(
    { local = "", host = "" }: InitializeRequest = {},
    options: CallOptions = {},
  ): Promise<{ readonly alreadyInitialized: boolean }> {
    const request = { authLocal: local, authHost: host, extraArgs: [] };
    const { outcome } = await this.#call(methods.initDataDir, request, options);
    return { alreadyInitialized: outcome === CallOutcome.AlreadyInitialized };
  }

  /** The contract knows no `keep`: without a role the server starts as a standby. */
  async start(
    { role = "standby", recoverFirst = false }: StartRequest = {},
    options: CallOptions = {},
  ): Promise<StartResult> {
    const { response, outcome } = await this.#call(
      methods.start,
      {
        port: 0,
        extraArgs: [],
        allowCrashRecovery: recoverFirst,
        suspectedDivergence: recoverFirst,
        asPrimary: role === "primary",
      },
      options,
    );
    const { pid, crashRecoveryRan: recovered } = response;
    return { pid, alreadyRunning: outcome === CallOutcome.AlreadyRunning, recovered };
  }

  async stop(
    { mode = "fast", timeoutMs }: StopRequest = {},
    options: CallOptions = {},
  ): Promise<StopResult> {
    const timeout = timeoutMs === undefined ? undefined : durationOf(timeoutMs);
    const { outcome } = await this.#call(methods.stop, { mode, timeout }, options);
    return stopResultOf(outcome) ?? mode;
  }

  /** Keeps what the server was, or makes it a standby: the contract has no restart as a primary. */
  async restart(
    { mode = "fast", timeoutMs, role = "keep" }: RestartRequest = {},
    options: CallOptions = {},
  ): Promise<StartResult> {
    if (role === "primary") {
      const message = "a server cannot be restarted as a primary over gRPC: promote it";
      throw new PgctldError(PgctldErrorCode.InvalidArgument, message);
    }
    const { response } = await this.#call(
      methods.restart,
      {
        mode,
        timeout: timeoutMs === undefined ? undefined : durationOf(timeoutMs),
        port: 0,
        extraArgs: [],
        asStandby: role === "standby",
      },
      options,
    );
    return { pid: response.pid, alreadyRunning: false, recovered: false };
  }

  async reload(options: CallOptions = {}): Promise<void> {
    await this.#call(methods.reloadConfig, {}, options);
  }

  async rewind(request: RewindRequest, options: CallOptions = {}): Promise<RewindResult> {
    const { response, outcome } = await this.#call(
      methods.pgRewind,
      {
        sourceHost: request.sourceHost,
        sourcePort: request.sourcePort,
        dryRun: request.dryRun ?? false,
        extraArgs: [...(request.extraArguments ?? [])],
        applicationName: request.applicationName ?? "",
      },
      options,
    );
    return { diverged: outcome === CallOutcome.Diverged, output: response.output };
  }

  async stopRestoreCommand(options: CallOptions = {}): Promise<RestoreCommandStop> {
    const { response } = await this.#call(methods.stopRestoreCommand, {}, options);
    return { found: response.found, killed: response.killed };
  }

  /** Calls that run are cancelled, and no further one is made. */
  [Symbol.dispose](): void {
    this.#closing.abort(new Error("the connections to the process-control daemon are closed"));
  }

  async #call<Request, Response>(
    { name, requestType, responseType }: Method<Request, Response>,
    request: Request,
    { signal: callers }: CallOptions,
  ): Promise<Answered<Response>> {
    const closing = this.#closing.signal;
    const signal = callers === undefined ? closing : AbortSignal.any([closing, callers]);
    throwIfAborted(signal, name);
    const client = new Client(this.#address, credentials.createInsecure(), CHANNEL_OPTIONS);
    const { promise, resolve, reject } = Promise.withResolvers<Answered<Response>>();
    let answer: Response | undefined;
    const call = client.makeUnaryRequest(
      `/${PgCtldDefinition.fullName}/${name}`,
      (message: Request) => Buffer.from(requestType.encode(message).finish()),
      (bytes: Buffer) => responseType.decode(bytes),
      request,
      new Metadata(),
      {},
      (_error: ServiceError | null, response?: Response) => {
        answer = response;
      },
    );
    // It comes last, and has the trailers.
    call.once("status", ({ code, details, metadata }) => {
      if (code !== status.OK) {
        reject(statusError(code, details, metadata));
      } else if (answer === undefined) {
        reject(new PgctldError(PgctldErrorCode.DaemonFailed, `${name} was not answered`));
      } else {
        resolve({ response: answer, outcome: outcomeOf(metadata) });
      }
    });
    const stopListening = onAbort(signal, () => call.cancel());
    try {
      return await promise;
    } catch (error) {
      throwIfAborted(signal, name);
      throw error;
    } finally {
      stopListening();
      client.close();
    }
  }
}

/** `undefined` where nothing was told. */
function stopResultOf(outcome: CallOutcome | undefined): StopResult | undefined {
  switch (outcome) {
    case CallOutcome.NotRunning:
    case CallOutcome.StoppedSmart:
    case CallOutcome.StoppedFast:
    case CallOutcome.StoppedImmediate:
    case CallOutcome.StoppedKill:
      return outcome;
    default:
      return undefined;
  }
}

/** A status as the message has it, at a moment in milliseconds since the epoch. */
function statusOf(response: StatusResponse, nowMs: number): PostgresStatus {
  const { pid, dataDir, port, host: socketDir, ready } = response;
  const version = response.version.replace(/^PostgreSQL /, "");
  const place = { dataDir, port, socketDir, version };
  const uptimeMs = millisecondsOf("uptime", response.uptime) ?? 0;
  const identity = { pid, startedAt: new Date(nowMs - uptimeMs) };
  switch (response.status) {
    case ServerStatus.NOT_INITIALIZED:
      return { state: "not-initialized", ...place };
    case ServerStatus.STOPPED:
      return { state: "stopped", cluster: undefined, ...place };
    case ServerStatus.STARTING:
      return { state: "starting", ...identity, ...place };
    case ServerStatus.STOPPING:
      return { state: "stopping", ...identity, ...place };
    case ServerStatus.RUNNING:
    case ServerStatus.UNKNOWN:
      return { state: "running", ready, role: undefined, ...identity, ...place };
    default:
      throw new PgctldError(
        PgctldErrorCode.DaemonFailed,
        `the process-control daemon answers the unknown status ${String(response.status)}`,
      );
  }
}
