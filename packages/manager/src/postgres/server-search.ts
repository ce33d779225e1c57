import net from "node:net";
import type { DatabaseAddress } from "@multipooler/controller-api";
import type { CallOptions } from "@multipooler/query-service";
import { Deadline, untilAborted } from "@multipooler/timing";
import { describeAddress } from "../address-text.ts";
import { applicationNamePrefix } from "./admin-client-config.ts";
import type { ResolvedDatabaseConfig, ServerConfig } from "./database-config.ts";
import { abortFault, lookupFault } from "./database-fault.ts";
import type { DatabaseContext, DatabaseFacts } from "../database/managed-database.ts";
import { ManagerError, ManagerErrorCode } from "../manager-error.ts";
import { PostgresServer } from "./postgres-server.ts";

export interface ServerSearchOptions {
  /** Asked at each search: its address may change. */
  readonly config: () => ResolvedDatabaseConfig;
  readonly context: DatabaseContext;
  /** The controller saw something that makes the server in use suspect. */
  readonly onSuspicion: () => void;
}

/** A server that answered. It holds no connection. */
export interface FoundServer {
  readonly server: PostgresServer;
  readonly facts: DatabaseFacts;
}

/** Finds the server that the configured name or address stands for now. */
export class ServerSearch {
  readonly #options: ServerSearchOptions;
  #lookup: { readonly host: string; readonly hosts: Promise<readonly string[]> } | undefined;

  constructor(options: ServerSearchOptions) {
    this.#options = options;
  }

  /**
   * Dials the addresses of the name in their order, hangs up, and resolves with the first that
   * answers: with `known` itself where it is that one. Rejects with the fault of the first address.
   */
  find(known: PostgresServer | undefined, { signal }: CallOptions): Promise<FoundServer> {
    const probe = async (server: PostgresServer): Promise<FoundServer> => ({
      server,
      facts: await server.probe({ signal }),
    });
    return this.first(known, probe, { signal });
  }

  /** As {@link find}, with another way to dial: `dial` leaves nothing behind where it fails. */
  async first<T>(
    known: PostgresServer | undefined,
    dial: (server: PostgresServer) => Promise<T>,
    { signal }: CallOptions,
  ): Promise<T> {
    let fault: unknown;
    for (const address of await this.addresses({ signal })) {
      try {
        return await dial(this.isAt(known, address) ? known : this.#serverAt(address));
      } catch (error) {
        fault ??= error;
        if (signal?.aborted === true || !isOfAddress(error)) {
          throw error;
        }
      }
    }
    throw fault;
  }

  /** Whether a name is configured, which may come to lead elsewhere. */
  get isByName(): boolean {
    const { address } = this.#options.config();
    return address.type !== "socket" && net.isIP(address.host) === 0;
  }

  /** The addresses to dial, best first: at least one. Rejects with a `ManagerError`. */
  async addresses({ signal }: CallOptions): Promise<readonly DatabaseAddress[]> {
    const { config, context } = this.#options;
    const { address, dialTimeoutMs } = config();
    if (address.type === "socket" || !this.isByName) {
      return [address];
    }
    const { clock } = context;
    using bound = new Deadline({ clock, ms: dialTimeoutMs, what: "the name server", signal });
    const fault = { config: this.#serverConfig(address), clock };
    try {
      const hosts = await untilAborted(this.#lookUp(address.host), bound.signal);
      if (hosts.length === 0) {
        throw new Error("the name has no address");
      }
      return hosts.map((host) => ({ ...address, host }));
    } catch (error) {
      throw signal?.aborted === true ? abortFault(signal.reason, fault) : lookupFault(error, fault);
    }
  }

  /** Whether a server is the one at an address, under the name that is configured now. */
  isAt(server: PostgresServer | undefined, address: DatabaseAddress): server is PostgresServer {
    return server?.config.place === this.#serverConfig(address).place;
  }

  /** One at a time: each that hangs holds a thread, of which the process has four. */
  #lookUp(host: string): Promise<readonly string[]> {
    const running = this.#lookup;
    if (running?.host === host) {
      return running.hosts;
    }
    const hosts = this.#options.config().lookup(host);
    const lookup = { host, hosts: hosts.finally(() => this.#forget(lookup)) };
    this.#lookup = lookup;
    return lookup.hosts;
  }

  #forget(lookup: object): void {
    if (this.#lookup === lookup) {
      this.#lookup = undefined;
    }
  }

  #serverAt(address: DatabaseAddress): PostgresServer {
    const { context, onSuspicion } = this.#options;
    const { clock, logger, suspect } = context;
    return new PostgresServer({
      config: this.#serverConfig(address),
      clock,
      logger,
      onConnectionLost: suspect,
      onSuspicion,
    });
  }

  #serverConfig(address: DatabaseAddress): ServerConfig {
    const { context } = this.#options;
    const config = this.#options.config();
    const named = describeAddress(config.address);
    const actual = describeAddress(address);
    return {
      ...config,
      address,
      place: `PostgreSQL at ${named === actual ? named : `${named} (${actual})`}`,
      applicationName: applicationNamePrefix(context.poolerName),
    };
  }
}

/** Whether another address of the same name may do better. */
function isOfAddress(error: unknown): boolean {
  return (
    error instanceof ManagerError &&
    (error.code === ManagerErrorCode.DatabaseUnavailable ||
      error.code === ManagerErrorCode.DatabaseTimeout ||
      error.code === ManagerErrorCode.TlsFailed ||
      error.code === ManagerErrorCode.NotPostgresql)
  );
}
