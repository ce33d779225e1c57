import type { CallOptions, PoolerError, ScramKeys } from "@multipooler/query-service";

/** Where a database listens. */
export type DatabaseAddress =
  | { readonly type: "socket"; readonly path: string }
  | { readonly type: "tcp"; readonly host: string; readonly port: number };

/**
 * How connections to the database are encrypted, with libpq's words. PEM texts, not paths: the handle
 * may be used where those files are not. `@multipooler/tls` has what the modes mean.
 */
export interface TlsSettings {
  readonly mode: "disable" | "prefer" | "require" | "verify-ca" | "verify-full";
  /** How TLS begins. Default: "postgres". */
  readonly negotiation?: "postgres" | "direct" | undefined;
  /** Whether logins with SCRAM are bound to the server's certificate. Default: "prefer". */
  readonly channelBinding?: "disable" | "prefer" | "require" | undefined;
  readonly ca?: string | undefined;
  readonly certificate?: string | undefined;
  readonly key?: string | undefined;
  /** What the server's certificate has to be for. Default: the host of the address. */
  readonly serverName?: string | undefined;
}

/**
 * What proves to the database who connects. "none": the database is expected to trust the address.
 * Ask at each dial; never keep or log it.
 */
export type Credential =
  | { readonly type: "none" }
  | { readonly type: "password"; readonly password: string }
  | { readonly type: "scramKeys"; readonly keys: ScramKeys };

/**
 * The connections that the controller may hold, out of those that the whole process may: all
 * components together stay below what the server grants to ordinary roles, with room left for an
 * operator's own session.
 */
export interface ConnectionShare {
  /** Connections that may be open at once. Falls and rises while the process runs. */
  readonly limit: number;
  /** Places that are taken. More than `limit` when that has fallen. */
  readonly used: number;
  /** Takes one place, or returns `undefined` when none is free. Never waits. */
  tryTake(): ConnectionSlot | undefined;
  /**
   * Calls `listener` whenever a place may have come free or the limit has changed, until the
   * function that it returns is called. The listener is called on its own turn of the event loop.
   */
  onChange(listener: () => void): () => void;
  /**
   * The server refused a dial for lack of room (SQLSTATE 53300). The limit falls to what is used
   * and recovers with time; `onChange` tells. Release the slot of that dial first: it is not used.
   */
  serverIsFull(): void;
}

/** One place in the share. Held from before the dial until the socket is closed. */
export interface ConnectionSlot {
  /** Gives the place back. Further calls do nothing. */
  release(): void;
}

/** One row of an administrative statement, by column name. */
export type AdminRow = Readonly<Record<string, unknown>>;

/**
 * The database as the manager hands it to its controller: data, which could cross a thread, and
 * functions that answer asynchronously or not at all. The manager keeps owning it; the controller
 * opens its backends from it and never dials elsewhere. It is of one server: `address` holds an IP
 * address or a socket, never a name, and when the server goes away or the name comes to mean another
 * one, the controller gets another handle. On the old one `share` then has no place, `admin` rejects
 * and `suspect` does nothing.
 */
export interface DatabaseHandle {
  readonly address: DatabaseAddress;
  readonly database: string;
  /** The role that queries run as where a caller names none. */
  readonly user: string;
  /**
   * How TCP connections are encrypted. Replaced as a whole when certificates are reloaded; read it at
   * each dial, that of a cancel request included.
   */
  readonly tls: TlsSettings;
  /** The longest that one dial, authentication included, may take. */
  readonly dialTimeoutMs: number;
  /** The beginning of each connection's `application_name`; the controller adds the pool's name. */
  readonly applicationName: string;
  readonly share: ConnectionShare;
  /**
   * What a dial as `user` proves itself with. Rejects where it cannot be looked up now: that dial
   * has failed, the next one may not.
   */
  credential(user: string, options?: CallOptions): Promise<Credential>;
  /**
   * Runs one of the few statements that need the rights of the manager's own role, on connections
   * that no query of a client occupies, one statement at a time. `values` are the parameters `$1`,
   * `$2`, …
   *
   * Rejects with a `PoolerError`: DATABASE_ERROR with its diagnostic, DEADLINE_EXCEEDED after the
   * manager's limit on its statements, CANCELLED, PRE_EXECUTION_UNAVAILABLE.
   */
  admin(
    sql: string,
    values: readonly unknown[],
    options?: CallOptions,
  ): Promise<readonly AdminRow[]>;
  /**
   * The query path saw something that makes the database or the way to it suspect, such as a
   * connection that was lost or a dial that was refused. The manager checks at once. Never throws.
   */
  suspect(cause: PoolerError): void;
}
