import { Server } from "@grpc/grpc-js";
import type { ServerOptions } from "@grpc/grpc-js";
import type { CallOptions } from "@multipooler/query-service";
import { Listening, onAbort } from "@multipooler/timing";
import type { ListeningRun } from "@multipooler/timing";
import type { PoolerService, ServiceTransport } from "@multipooler/manager";
import { LimitedLogger } from "@multipooler/logging";
import { GrpcPort } from "./grpc-port.ts";
import type { ConnectionCount, ConnectionLimit } from "./grpc-port.ts";
import { checkSubjects } from "./grpc-subject-check.ts";
import { GrpcTls } from "./grpc-tls.ts";
import type { GrpcTlsOptions } from "./grpc-tls.ts";
import { GrpcServicesError, GrpcServicesErrorCode } from "../errors/error.ts";
import { addService } from "./grpc-js-adapter.ts";
import type { Logger } from "../logger.ts";
import type { PoolerManager } from "./pooler-manager.ts";
import { MAX_MESSAGE_BYTES } from "./message-limit.ts";
import { poolerServices } from "./pooler-services.ts";
import { addReflection } from "./reflection.ts";
import { checkReceivingLimits, ReceivingBytes } from "./receiving-bytes.ts";
import type { ReceivingCount } from "./receiving-bytes.ts";
import { limitRequests } from "./grpc-request-limit.ts";
import { raiseStreamResetLimit } from "./stream-reset-limit.ts";
import { UnsentBytes } from "./unsent-bytes.ts";

/** Where the server listens, whom it asks, and the bounds of its connections. */
export interface GrpcServerOptions {
  /** Asked by the services at each call. */
  readonly manager: PoolerManager;
  /** The name or address to listen on, e.g. "127.0.0.1", or "::" for every address. */
  readonly host: string;
  /** The port to listen on; 0 lets the system choose. */
  readonly port: number;
  /** The version of the program, for the manager's status. */
  readonly version: string;
  readonly logger: Logger;
  /** Connections are encrypted, and read with new files when those are replaced. Default: they are not. */
  readonly tls?: GrpcTlsOptions | undefined;
  /** The largest message that is sent or taken. Default 16 MiB, as Multigres' gateway has it. */
  readonly maxMessageBytes?: number | undefined;
  /**
   * Further connections are closed at once, and a line in the log says so once a minute. Default: no
   * limit; then they can use up all files that the process may open.
   */
  readonly connectionLimit?: ConnectionLimit | undefined;
  /**
   * What requests above 64 KiB may have together until they reach their handler; further ones are
   * not read from their connections until then. Smaller ones never wait. The process has at most
   * twice as much of requests that arrive. Default: four times `maxMessageBytes`.
   */
  readonly maxReceivingBytes?: number | undefined;
  /**
   * How long a request may take to arrive, from its first byte or, if it had to wait, from its turn.
   * Then its call fails with DEADLINE_EXCEEDED. Default 30000.
   */
  readonly receiveTimeoutMs?: number | undefined;
  /** How long a connection may be silent before the client gets a PING. Default 10000. */
  readonly keepaliveIntervalMs?: number | undefined;
  /** How long a client may take to answer it before its connection is cut. Default 10000. */
  readonly keepaliveTimeoutMs?: number | undefined;
  /** Clients are asked to connect again after this time. Default: never. */
  readonly maxConnectionAgeMs?: number | undefined;
  /** How long after that calls on the old connection may go on. Default: for ever. */
  readonly maxConnectionAgeGraceMs?: number | undefined;
  /**
   * Without a message of StreamPoolerHealth for this time gateways take the pooler for dead; it
   * sends one at least three times as often. Default 90000.
   */
  readonly healthStalenessMs?: number | undefined;
  /** Services that are not offered here even if they are announced. Default: none. */
  readonly withheld?: ReadonlySet<PoolerService> | undefined;
}

const DEFAULT_KEEPALIVE_MS = 10_000;
const DEFAULT_RECEIVE_TIMEOUT_MS = 30_000;
/** How many of the largest messages may arrive at once. */
const RECEIVED_MESSAGES = 4;
/** The most that HTTP/2 can say: a gateway has one connection, and a stream for each statement. */
const UNLIMITED_STREAMS = 0xffff_ffff;

/** What clients together may leave unread before all but the smallest results have to wait: 64 MiB. */
const MAX_UNSENT_BYTES = 67_108_864;

/** From `listen` to the end of `close`. */
interface Run extends ListeningRun<GrpcPort> {
  readonly receiving: ReceivingBytes;
}

/**
 * The gRPC transport: the services that were offered, health as `grpc.health.v1.Health`, and server
 * reflection on one port.
 */
export class GrpcServer implements ServiceTransport {
  readonly #options: GrpcServerOptions;
  readonly #logger: LimitedLogger;
  readonly #tls: GrpcTls | undefined;
  readonly #maxMessageBytes: number;
  readonly #maxReceivingBytes: number;
  readonly #receiveTimeoutMs: number;
  readonly #offered = new Set<PoolerService>();
  readonly #listening = new Listening<GrpcPort, Run>({
    start: (closing) => this.#start(closing),
    alreadyOpen: () =>
      new GrpcServicesError(
        GrpcServicesErrorCode.AlreadyListening,
        "the gRPC server listens already",
      ),
    cancelled: (cause) =>
      new GrpcServicesError(
        GrpcServicesErrorCode.Cancelled,
        "the gRPC server was stopped before it listened",
        { cause },
      ),
  });

  /**
   * Reads the files of TLS, if there are any.
   *
   * @throws INVALID_ARGUMENT, naming the option, for what cannot be kept; TLS_FILES_INVALID
   */
  constructor(options: GrpcServerOptions) {
    const maxMessageBytes = options.maxMessageBytes ?? MAX_MESSAGE_BYTES;
    const maxReceivingBytes = options.maxReceivingBytes ?? RECEIVED_MESSAGES * maxMessageBytes;
    const receiveTimeoutMs = options.receiveTimeoutMs ?? DEFAULT_RECEIVE_TIMEOUT_MS;
    checkConnectionLimit(options.connectionLimit);
    checkReceivingLimits({ maxReceivingBytes, maxMessageBytes, receiveTimeoutMs });
    this.#maxMessageBytes = maxMessageBytes;
    this.#maxReceivingBytes = maxReceivingBytes;
    this.#receiveTimeoutMs = receiveTimeoutMs;
    this.#options = options;
    this.#logger = new LimitedLogger(options.logger);
    this.#tls = options.tls && new GrpcTls(options.tls, this.#logger);
  }

  /** The port in use, also when the system chose it; `undefined` while the server does not listen. */
  get port(): number | undefined {
    return this.#listening.port?.port;
  }

  /** Connections since `listen`; zeros while the server does not listen. */
  get connections(): ConnectionCount {
    return this.#listening.port?.connections ?? { open: 0, refused: 0 };
  }

  /** Requests that arrive; zeros while the server does not listen. */
  get receiving(): ReceivingCount {
    return this.#listening.run?.receiving.count ?? { bytes: 0, waiting: 0, refused: 0 };
  }

  /** Announces a service for the next `listen`. */
  offer(service: PoolerService): void {
    if (this.#options.withheld?.has(service) !== true) {
      this.#offered.add(service);
    }
  }

  /**
   * Begins to accept clients.
   *
   * Rejects with LISTEN_FAILED when the address cannot be used, with CANCELLED when the signal
   * aborts or `close` is called before it is bound, and with ALREADY_LISTENING.
   */
  async listen({ signal }: CallOptions = {}): Promise<void> {
    await this.#listening.open(signal);
  }

  /**
   * Tells each client that is connected, with HTTP/2's GOAWAY, to make its further calls on another
   * connection. Those that run go on, and new connections are accepted. Resolves when the old ones are
   * closed, or the signal aborts.
   */
  async moveClients({ signal }: CallOptions = {}): Promise<void> {
    await this.#listening.port?.moveClients(signal);
  }

  /**
   * Stops accepting and lets running calls end until the signal aborts, then cuts them. Resolves
   * when no connection is left. Idempotent; `listen` works again afterwards.
   */
  async close({ signal }: CallOptions = {}): Promise<void> {
    await this.#listening.close(signal);
  }

  /** `close` without a signal. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #start(closing: AbortSignal): Run {
    const { host, port, connectionLimit } = this.#options;
    const logger = this.#logger;
    const receiving = new ReceivingBytes({
      limitBytes: this.#maxReceivingBytes,
      timeoutMs: this.#receiveTimeoutMs,
    });
    const server = this.#createServer(closing, receiving);
    return {
      bound: GrpcPort.open({ server, host, port, connectionLimit, tls: this.#tls, logger }),
      receiving,
      shutDown: async (bound, force) => {
        const closed = bound?.shutDown();
        onAbort(force, () => bound?.cut());
        await closed;
        receiving.close();
        logger.flush();
      },
    };
  }

  #createServer(closing: AbortSignal, receiving: ReceivingBytes): Server {
    const { manager, version, healthStalenessMs, tls } = this.#options;
    const maxMessageBytes = this.#maxMessageBytes;
    const server = new Server({
      interceptors: [
        ...(tls?.allowedSubjects === undefined ? [] : [checkSubjects(tls.allowedSubjects)]),
        limitRequests({ receiving, maxMessageBytes }),
      ],
      "grpc.max_receive_message_length": maxMessageBytes,
      "grpc.max_send_message_length": maxMessageBytes,
      ...connectionOptions(this.#options),
      "grpc.max_concurrent_streams": UNLIMITED_STREAMS,
      "grpc.enable_channelz": 0,
    });
    raiseStreamResetLimit(server);
    const { offered, health } = poolerServices({
      manager,
      version,
      maxMessageBytes,
      healthStalenessMs,
      offered: this.#offered,
      closing,
    });
    const unsent = new UnsentBytes(MAX_UNSENT_BYTES);
    for (const service of health === undefined ? offered : [...offered, health]) {
      addService(server, service, { maxMessageBytes, unsent, logger: this.#logger });
    }
    addReflection(
      server,
      offered.map(({ name }) => name),
    );
    return server;
  }
}

/** How long the server keeps a connection. */
function connectionOptions(options: GrpcServerOptions): ServerOptions {
  const { maxConnectionAgeMs, maxConnectionAgeGraceMs } = options;
  return {
    "grpc.keepalive_time_ms": options.keepaliveIntervalMs ?? DEFAULT_KEEPALIVE_MS,
    "grpc.keepalive_timeout_ms": options.keepaliveTimeoutMs ?? DEFAULT_KEEPALIVE_MS,
    ...(maxConnectionAgeMs !== undefined && { "grpc.max_connection_age_ms": maxConnectionAgeMs }),
    ...(maxConnectionAgeGraceMs !== undefined && {
      "grpc.max_connection_age_grace_ms": maxConnectionAgeGraceMs,
    }),
  };
}

function checkConnectionLimit(limit: ConnectionLimit | undefined): void {
  if (limit !== undefined && !(Number.isSafeInteger(limit.connections) && limit.connections > 0)) {
    throw new GrpcServicesError(
      GrpcServicesErrorCode.InvalidArgument,
      `connectionLimit.connections must be a whole number from 1, not ${limit.connections}`,
    );
  }
}
