import type { CallOptions } from "@multipooler/query-service";
import type { ServerTlsPaths } from "@multipooler/tls";
import { Listening, onAbort, StallWatch, systemClock } from "@multipooler/timing";
import type { ListeningRun } from "@multipooler/timing";
import type { PoolerService, ServiceTransport } from "@multipooler/manager";
import { LimitedLogger } from "@multipooler/logging";
import { AllowedSubjects } from "./connection/allowed-subjects.ts";
import { GrpcPort } from "./connection/grpc-port.ts";
import type { ConnectionCount, ConnectionLimit } from "./connection/grpc-port.ts";
import { GrpcTls } from "./connection/grpc-tls.ts";
import type { GrpcTlsOptions } from "./connection/grpc-tls.ts";
import type { ConnectionTimes } from "./connection/http2-connection.ts";
import { Http2Connections } from "./connection/http2-connections.ts";
import type { PoolerOperations } from "../manager/pooler-operations.ts";
import { GrpcServicesError, GrpcServicesErrorCode } from "../errors/error.ts";
import type { Logger } from "../logger.ts";
import { ManagerAccess } from "./manager-access.ts";
import type { ManagerAccessOptions } from "./manager-access.ts";
import type { PoolerManager } from "./pooler-manager.ts";
import { MAX_MESSAGE_BYTES } from "./message-limit.ts";
import { poolerServices } from "./pooler-services.ts";
import { bindReflection } from "./reflection.ts";
import type { CallLimits } from "./call/call-answer.ts";
import { CallDeadlines } from "./call/call-deadlines.ts";
import { CallRoutes } from "./call/call-routes.ts";
import { CallTimes } from "./call/call-times.ts";
import type { CallTimesReport } from "./call/call-times.ts";
import { observeCalls } from "./call/observed-calls.ts";
import type { CallObserver } from "./call/observed-calls.ts";
import { checkReceivingLimits, ReceivingBytes } from "./call/receiving-bytes.ts";
import type { ReceivingCount, ReceivingLimits } from "./call/receiving-bytes.ts";
import { UnsentBytes } from "./call/unsent-bytes.ts";

/** Where the server listens, whom it asks, and the bounds of its connections. */
export interface GrpcServerOptions {
  /** Asked by the services at each call. */
  readonly manager: PoolerManager;
  /** The name or address to listen on, e.g. "127.0.0.1", or "::" for every address. */
  readonly host: string;
  /** The port to listen on; 0 lets the system choose. */
  readonly port: number;
  /**
   * The path of a Unix socket to listen on, too, with the same TLS and limits. One that a process has
   * left which was killed is taken over. Default: none.
   */
  readonly socketFile?: string | undefined;
  /** The version of the program, for the manager's status. */
  readonly version: string;
  readonly logger: Logger;
  /** Connections are encrypted, and read with new files when those are replaced. Default: they are not. */
  readonly tls?: GrpcTlsOptions | undefined;
  /** The largest message that is sent or taken. Default 16 MiB, as Multigres' gateway has it. */
  readonly maxMessageBytes?: number | undefined;
  /**
   * Further connections are closed at once, and a line in the log says so once a minute. It holds for
   * the port and for the socket, each. Default: no limit; then they can use up all files that the process may open.
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
  /**
   * How long a client may take nothing of an answer that waits for it. Then its call fails with
   * RESOURCE_EXHAUSTED, and the statement is cancelled. 0: for ever. Default 1800000.
   */
  readonly clientStallTimeoutMs?: number | undefined;
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
  /** Gets each call, for traces. Default: nobody does, and calls cost nothing more. */
  readonly observeCall?: CallObserver | undefined;
  /** Services that are not offered here even if they are announced. Default: none. */
  readonly withheld?: ReadonlySet<PoolerService> | undefined;
  /**
   * Who may call the services that manage the pooler, "manager" and "consensus"; the others are for every
   * client. Default: every client.
   */
  readonly managerAccess?: ManagerAccessOptions | undefined;
  /** What the program itself answers of the manager service. Default: nothing. */
  readonly operations?: PoolerOperations | undefined;
}

const DEFAULT_KEEPALIVE_MS = 10_000;
const DEFAULT_RECEIVE_TIMEOUT_MS = 30_000;
const DEFAULT_STALL_TIMEOUT_MS = 1_800_000;
/** How many of the largest messages may arrive at once. */
const RECEIVED_MESSAGES = 4;

/** The limits of a server that can change while it listens; see {@link GrpcServerOptions} for each. */
export type ChangeableGrpcLimits = Pick<
  GrpcServerOptions,
  | "connectionLimit"
  | "maxReceivingBytes"
  | "receiveTimeoutMs"
  | "clientStallTimeoutMs"
  | "keepaliveIntervalMs"
  | "keepaliveTimeoutMs"
  | "maxConnectionAgeMs"
  | "maxConnectionAgeGraceMs"
>;

/** Files of a server that are read again. */
export interface GrpcFiles {
  /** In place of those that the server has; it speaks TLS or does not as before. */
  readonly tls: ServerTlsPaths | undefined;
  /** In place of the one that it has. */
  readonly tokenFile: string | undefined;
}

/** What clients together may leave unread before all but the smallest results have to wait: 64 MiB. */
const MAX_UNSENT_BYTES = 67_108_864;

/** From `listen` to the end of `close`. */
interface Run extends ListeningRun<GrpcPort> {
  readonly receiving: ReceivingBytes;
  readonly stalls: StallWatch;
}

/**
 * The gRPC transport: the services that were offered, health as `grpc.health.v1.Health`, and server
 * reflection on one port.
 */
export class GrpcServer implements ServiceTransport {
  readonly #options: GrpcServerOptions;
  /** Read when they are used: they change in place. */
  readonly #limits: GrpcLimits;
  readonly #logger: LimitedLogger;
  readonly #tls: GrpcTls | undefined;
  readonly #access: ManagerAccess | undefined;
  readonly #maxMessageBytes: number;
  readonly #offered = new Set<PoolerService>();
  readonly #times = new CallTimes();
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
   * @throws INVALID_ARGUMENT, naming the option, for what cannot be kept; TLS_FILES_INVALID;
   * TOKENS_INVALID
   */
  constructor(options: GrpcServerOptions) {
    const maxMessageBytes = options.maxMessageBytes ?? MAX_MESSAGE_BYTES;
    this.#limits = limitsOf(options, maxMessageBytes);
    this.#maxMessageBytes = maxMessageBytes;
    this.#options = options;
    this.#logger = new LimitedLogger(options.logger);
    this.#tls = options.tls && new GrpcTls(options.tls, this.#logger);
    const { managerAccess } = options;
    this.#access = managerAccess && new ManagerAccess(managerAccess, this.#logger);
  }

  /** The port in use, also when the system chose it; `undefined` while the server does not listen. */
  get port(): number | undefined {
    return this.#listening.port?.port;
  }

  /**
   * Reads the files of TLS and of tokens. Returns what puts them in place, for the next client.
   *
   * @throws TLS_FILES_INVALID, TOKENS_INVALID; then nothing has changed
   */
  prepare({ tls, tokenFile }: GrpcFiles): () => void {
    const access = this.#access?.prepare(tokenFile);
    const identity = tls && this.#tls?.prepare(tls);
    return () => {
      access?.();
      identity?.();
    };
  }

  /**
   * Gives other limits; what is not among them has its default. Connections that are there stay, with the
   * times that they began with.
   *
   * @throws INVALID_ARGUMENT for one that makes no sense; then none has changed
   */
  change(limits: ChangeableGrpcLimits): void {
    Object.assign(this.#limits, limitsOf(limits, this.#maxMessageBytes));
    this.#listening.port?.limit(this.#limits.connectionLimit);
    this.#listening.run?.receiving.change(this.#limits.receiving);
    this.#listening.run?.stalls.change(this.#limits.stallTimeoutMs);
  }

  /** Connections since `listen`; zeros while the server does not listen. */
  get connections(): ConnectionCount {
    return this.#listening.port?.connections ?? { open: 0, refused: 0 };
  }

  /** Requests that arrive; zeros while the server does not listen. */
  get receiving(): ReceivingCount {
    return this.#listening.run?.receiving.count ?? { bytes: 0, waiting: 0, refused: 0 };
  }

  /** How long calls took that have ended, since the server was made. */
  get callTimes(): readonly CallTimesReport[] {
    return this.#times.report();
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
    const { host, port, socketFile, observeCall } = this.#options;
    const logger = this.#logger;
    const { connectionLimit, receiving: receivingLimits, stallTimeoutMs } = this.#limits;
    const receiving = new ReceivingBytes(receivingLimits);
    const deadlines = new CallDeadlines(systemClock);
    const stalls = new StallWatch({ clock: systemClock, limitMs: stallTimeoutMs });
    const { onStream } = this.#routes(closing, { receiving, deadlines, stalls });
    const connections = new Http2Connections({
      times: () => this.#limits.times,
      onStream: observeCall === undefined ? onStream : observeCalls(onStream, observeCall),
      clock: systemClock,
      random: Math.random,
    });
    return {
      bound: GrpcPort.open({
        connections,
        host,
        port,
        socketFile,
        connectionLimit,
        tls: this.#tls,
        logger,
      }),
      receiving,
      stalls,
      shutDown: async (bound, force) => {
        const closed = bound?.shutDown();
        onAbort(force, () => bound?.cut());
        await closed;
        receiving.close();
        deadlines.close();
        stalls.close();
        logger.flush();
      },
    };
  }

  #routes(
    closing: AbortSignal,
    own: Pick<CallLimits, "receiving" | "deadlines" | "stalls">,
  ): CallRoutes {
    const { manager, version, healthStalenessMs, operations, tls } = this.#options;
    const maxMessageBytes = this.#maxMessageBytes;
    const { offered, health } = poolerServices({
      manager,
      version,
      maxMessageBytes,
      healthStalenessMs,
      operations,
      offered: this.#offered,
      closing,
    });
    const reflection = bindReflection(offered.map(({ name }) => name));
    return new CallRoutes({
      services: [...offered, ...(health === undefined ? [] : [health]), ...reflection],
      subjects: tls?.allowedSubjects && new AllowedSubjects(tls.allowedSubjects),
      access: this.#access,
      times: this.#times,
      limits: {
        ...own,
        maxMessageBytes,
        unsent: new UnsentBytes(MAX_UNSENT_BYTES),
        logger: this.#logger,
      },
    });
  }
}

interface GrpcLimits {
  readonly connectionLimit: ConnectionLimit | undefined;
  readonly receiving: ReceivingLimits;
  readonly stallTimeoutMs: number;
  readonly times: ConnectionTimes;
}

/** @throws INVALID_ARGUMENT */
function limitsOf(options: ChangeableGrpcLimits, maxMessageBytes: number): GrpcLimits {
  const { connectionLimit } = options;
  const maxReceivingBytes = options.maxReceivingBytes ?? RECEIVED_MESSAGES * maxMessageBytes;
  const receiveTimeoutMs = options.receiveTimeoutMs ?? DEFAULT_RECEIVE_TIMEOUT_MS;
  checkConnectionLimit(connectionLimit);
  const stallTimeoutMs = options.clientStallTimeoutMs ?? DEFAULT_STALL_TIMEOUT_MS;
  checkReceivingLimits({ maxReceivingBytes, maxMessageBytes, receiveTimeoutMs });
  checkStallTimeout(stallTimeoutMs);
  return {
    connectionLimit,
    receiving: { limitBytes: maxReceivingBytes, timeoutMs: receiveTimeoutMs },
    stallTimeoutMs,
    times: connectionTimes(options),
  };
}

function connectionTimes(options: ChangeableGrpcLimits): ConnectionTimes {
  return {
    keepaliveIntervalMs: options.keepaliveIntervalMs ?? DEFAULT_KEEPALIVE_MS,
    keepaliveTimeoutMs: options.keepaliveTimeoutMs ?? DEFAULT_KEEPALIVE_MS,
    maxAgeMs: options.maxConnectionAgeMs,
    maxAgeGraceMs: options.maxConnectionAgeGraceMs,
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

function checkStallTimeout(ms: number): void {
  if (!(ms >= 0)) {
    throw new GrpcServicesError(
      GrpcServicesErrorCode.InvalidArgument,
      `clientStallTimeoutMs must be 0 or more, not ${ms}`,
    );
  }
}
