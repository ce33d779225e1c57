import type { Socket } from "node:net";
import { LimitedLogger } from "@multipooler/logging";
import type { PoolerService, ServiceTransport } from "@multipooler/manager";
import type { CallOptions, QueryService } from "@multipooler/query-service";
import { Listening, onAbort, StallWatch, untilAborted } from "@multipooler/timing";
import type { ListeningRun } from "@multipooler/timing";
import { ALPN_NAME, TlsAcceptor, TlsError } from "@multipooler/tls";
import type { ServerTlsPaths, TlsAcceptorOptions } from "@multipooler/tls";
import { Console } from "../console/console.ts";
import type { ClientView } from "../console/console-view.ts";
import { PgwireServicesError, PgwireServicesErrorCode } from "../error.ts";
import { Refusal } from "../login/refusal.ts";
import type { ChangeableOptions } from "./changeable-options.ts";
import { CancelKeys } from "./cancel-keys.ts";
import { Client } from "./client.ts";
import type { SocketEnds } from "./client.ts";
import { ClientPlaces } from "./client-places.ts";
import { ClientPort } from "./client-port.ts";
import { LoginFailures } from "./login-failures.ts";
import { IdleClients } from "./idle-clients.ts";
import { resolveOptions } from "./pgwire-server-options.ts";
import type { PgwireServerOptions, ResolvedOptions } from "./pgwire-server-options.ts";

/** The clients of a server. */
export interface ClientCount {
  /** Logged in or about to be. */
  readonly clients: number;
  /** Connections of every kind. */
  readonly connections: number;
  /** Turned away since `listen`, in words or without. */
  readonly refused: number;
}

/** From `listen` to the end of `close`. */
interface Run extends ListeningRun<ClientPort> {
  readonly clients: ReadonlySet<Client>;
  readonly places: ClientPlaces;
  readonly idleClients: IdleClients;
  readonly stalls: StallWatch;
}

/** What the clients of a run have in common. */
interface ClientParts {
  readonly clients: Set<Client>;
  readonly places: ClientPlaces;
  readonly keys: CancelKeys;
  readonly failures: LoginFailures;
  readonly stalls: StallWatch;
  readonly console: Console | undefined;
}

const NO_CLIENTS: ClientCount = { clients: 0, connections: 0, refused: 0 };

/** The transport for clients of PostgreSQL's protocol: each gets a session of the query service. */
export class PgwireServer implements ServiceTransport {
  /** Everything reads it when it is used: some change in place. */
  readonly #options: ResolvedOptions;
  readonly #logger: LimitedLogger;
  readonly #tls: TlsAcceptor | undefined;
  readonly #listening = new Listening<ClientPort, Run>({
    start: () => this.#start(),
    alreadyOpen: () =>
      new PgwireServicesError(
        PgwireServicesErrorCode.AlreadyListening,
        "the server for clients listens already",
      ),
    cancelled: (cause) =>
      new PgwireServicesError(
        PgwireServicesErrorCode.Cancelled,
        "the server for clients was stopped before it listened",
        { cause },
      ),
  });
  #offersSessions = false;
  #clientIds = 0;

  /**
   * Reads the files of TLS, if there are any.
   *
   * @throws INVALID_ARGUMENT, naming the option, for a limit that cannot be kept; TLS_FILES_INVALID
   */
  constructor(options: PgwireServerOptions) {
    this.#options = resolveOptions(options);
    const { clock, tls } = this.#options;
    this.#logger = new LimitedLogger(options.logger);
    const logger = this.#logger;
    this.#tls = tls === undefined ? undefined : openTls({ paths: tls, clock, logger });
  }

  /** The port in use, also when the system chose it; `undefined` while the server does not listen. */
  get port(): number | undefined {
    return this.#listening.port?.port;
  }

  /**
   * Reads these files of TLS in place of those that it has; it speaks TLS or does not as before. Returns
   * what has the next client meet them.
   *
   * @throws TLS_FILES_INVALID; then nothing has changed
   */
  prepare(paths: ServerTlsPaths | undefined): () => void {
    const ready = withTlsFaults(() => paths && this.#tls?.prepare(paths));
    return ready ?? (() => undefined);
  }

  /** Gives other limits. @throws INVALID_ARGUMENT for one that makes no sense; then none has changed */
  change(options: Partial<ChangeableOptions>): void {
    Object.assign(this.#options, resolveOptions({ ...this.#options, ...options }));
    const { run, port } = this.#listening;
    port?.limit(this.#options.maxConnections);
    run?.idleClients.poke();
    run?.stalls.change(this.#options.clientStallTimeoutMs);
  }

  /** Zeros while the server does not listen. */
  get count(): ClientCount {
    const { run, port } = this.#listening;
    if (run === undefined) {
      return NO_CLIENTS;
    }
    return {
      clients: run.places.taken,
      connections: run.clients.size,
      refused: run.places.refused + (port?.refused ?? 0),
    };
  }

  /** Each connection of a client, for an operator. None while the server does not listen. */
  views(): ClientView[] {
    return [...(this.#listening.run?.clients ?? [])].map(({ view }) => view);
  }

  /** Cuts a client. False: there is none of that id. */
  endClient(id: number): boolean {
    return endClient(this.#listening.run?.clients ?? [], id);
  }

  /** Announces a service. Clients are served once sessions are among them. */
  offer(service: PoolerService): void {
    this.#offersSessions ||= service === "session";
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
   * Ends each client that is logged in with 57P01 at the end of its transaction, and accepts others.
   * Resolves when those that there were are gone, or the signal aborts.
   */
  async moveClients({ signal }: CallOptions = {}): Promise<void> {
    const talking = [...(this.#listening.run?.clients ?? [])].filter(
      ({ conversation }) => conversation !== undefined,
    );
    leaveAll(talking, "boundary");
    const gone = Promise.all(talking.map((client) => client.gone));
    await untilAborted(gone, signal).catch(() => undefined);
  }

  /**
   * Stops accepting, and ends each client with 57P01 at the end of its transaction; what is left when
   * the signal aborts is cut. Resolves when no connection is left. Idempotent; `listen` works again
   * afterwards.
   */
  async close({ signal }: CallOptions = {}): Promise<void> {
    await this.#listening.close(signal);
  }

  /** `close` without a signal. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #start(): Run {
    const { host, port, maxConnections, keepAliveMs } = this.#options;
    const parts = this.#newParts();
    const { clients, places, stalls, console } = parts;
    const idleClients = this.#newIdleClients(clients);
    return {
      clients,
      places,
      idleClients,
      stalls,
      bound: ClientPort.open({
        host,
        port,
        maxConnections,
        keepAliveMs,
        onConnection: (socket) => void this.#serve(socket, parts),
        logger: this.#logger,
      }),
      started: () => {
        idleClients.open();
        console?.open();
      },
      shutDown: async (bound, force) => {
        const closed = bound?.close();
        await idleClients.close();
        await console?.close();
        leaveAll(clients, "boundary");
        const stopListening = onAbort(force, () => leaveAll(clients, "now"));
        await closed;
        stopListening();
        stalls.close();
        this.#logger.flush();
      },
    };
  }

  #newParts(): ClientParts {
    const options = this.#options;
    const clients = new Set<Client>();
    const { clock, clientStallTimeoutMs: limitMs } = options;
    return {
      clients,
      places: new ClientPlaces(options),
      keys: new CancelKeys(),
      failures: new LoginFailures(options),
      stalls: new StallWatch({ clock, limitMs }),
      console: this.#newConsole(clients),
    };
  }

  #newIdleClients(clients: ReadonlySet<Client>): IdleClients {
    const options = this.#options;
    return new IdleClients({
      conversations: () => conversationsOf(clients),
      timeoutMs: () => options.idleTimeoutMs,
      clock: options.clock,
    });
  }

  #newConsole(clients: ReadonlySet<Client>): Console | undefined {
    const { console: options, clock } = this.#options;
    return (
      options &&
      new Console({
        options,
        limits: this.#options,
        clients: () => [...clients].map(({ view }) => view),
        endClient: (id) => endClient(clients, id),
        credentials: async (request, call) => await this.#executor().getCredentials(request, call),
        clock,
      })
    );
  }

  async #serve(socket: Socket, run: ClientParts): Promise<void> {
    this.#clientIds += 1;
    const tls = this.#tls;
    const client = new Client({
      ...this.#options,
      ...run,
      socket,
      id: this.#clientIds,
      ends: endsOf(socket),
      executor: () => this.#executor(),
      encryption: tls && ((options) => tls.accept(socket, options)),
      isTrusted: this.#options.trustLoopback && isLoopback(socket.remoteAddress),
      logger: this.#logger,
    });
    run.clients.add(client);
    try {
      await client.run();
    } catch (err) {
      this.#logger.error({ err }, "a client could not be served");
      socket.destroy();
    } finally {
      run.clients.delete(client);
    }
  }

  #executor(): QueryService {
    if (!this.#offersSessions) {
      throw new Refusal("0A000", "this pooler does not serve clients of PostgreSQL's protocol");
    }
    return this.#options.manager.queryServiceControl().getExecutor();
  }
}

function leaveAll(clients: Iterable<Client>, when: "boundary" | "now"): void {
  for (const client of clients) {
    client.leave(when);
  }
}

function* conversationsOf(
  clients: Iterable<Client>,
): Iterable<NonNullable<Client["conversation"]>> {
  for (const { conversation } of clients) {
    if (conversation !== undefined) {
      yield conversation;
    }
  }
}

function endClient(clients: Iterable<Client>, id: number): boolean {
  const client = [...clients].find((one) => one.view.id === id);
  client?.leave("now");
  return client !== undefined;
}

/** A socket that is gone already has no ends any more. */
function endsOf({ remoteAddress, remotePort, localAddress, localPort }: Socket): SocketEnds {
  return {
    address: remoteAddress ?? "",
    port: remotePort ?? 0,
    localAddress: localAddress ?? "",
    localPort: localPort ?? 0,
  };
}

function openTls(options: Pick<TlsAcceptorOptions, "paths" | "clock" | "logger">): TlsAcceptor {
  const what = "certificate for clients";
  return withTlsFaults(() => new TlsAcceptor({ ...options, what, protocol: ALPN_NAME }));
}

/** @throws TLS_FILES_INVALID for a fault of the files */
function withTlsFaults<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof TlsError) {
      throw new PgwireServicesError(PgwireServicesErrorCode.TlsFilesInvalid, error.message, {
        cause: error,
      });
    }
    throw error;
  }
}

/** ::ffff:127.0.0.1 is how IPv4 looks to a listener of IPv6. */
function isLoopback(address: string | undefined): boolean {
  return address === "::1" || /^(?:::ffff:)?127\./.test(address ?? "");
}
