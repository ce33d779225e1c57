import type {
  AdminRow,
  ConnectionShare,
  ConnectionSlot,
  Credential,
  DatabaseAddress,
  DatabaseHandle,
  TlsSettings,
} from "@multipooler/controller-api";
import { PoolerErrorCode } from "@multipooler/query-service";
import type { CallOptions, PoolerError } from "@multipooler/query-service";
import { MultiPoolerError } from "../error.ts";

/**
 * The handle of a database that is used now. Another one may take its place, which is of the same
 * database and user, and perhaps of another server.
 */
export class CurrentHandle implements DatabaseHandle {
  readonly database: string;
  readonly user: string;
  readonly applicationName: string;
  readonly share: CurrentShare;
  #handle: DatabaseHandle;

  constructor(handle: DatabaseHandle) {
    this.database = handle.database;
    this.user = handle.user;
    this.applicationName = handle.applicationName;
    this.share = new CurrentShare(handle.share);
    this.#handle = handle;
  }

  get address(): DatabaseAddress {
    return this.#handle.address;
  }

  get tls(): TlsSettings {
    return this.#handle.tls;
  }

  get dialTimeoutMs(): number {
    return this.#handle.dialTimeoutMs;
  }

  /** @throws INVALID_ARGUMENT for another database or user */
  replace(handle: DatabaseHandle): void {
    const { database, user } = handle;
    if (database !== this.database || user !== this.user) {
      const message = `the handle is of database "${database}" and user "${user}", and the former one of "${this.database}" and "${this.user}"`;
      throw new MultiPoolerError(PoolerErrorCode.InvalidArgument, message);
    }
    this.#handle = handle;
    this.share.replace(handle.share);
  }

  async credential(user: string, options?: CallOptions): Promise<Credential> {
    return await this.#handle.credential(user, options);
  }

  async admin(
    sql: string,
    values: readonly unknown[],
    options?: CallOptions,
  ): Promise<readonly AdminRow[]> {
    return await this.#handle.admin(sql, values, options);
  }

  suspect(cause: PoolerError): void {
    this.#handle.suspect(cause);
  }
}

/** The share of the handle that is used now. A place is of the share that it was taken from. */
class CurrentShare implements ConnectionShare {
  readonly #listeners = new Set<() => void>();
  #share: ConnectionShare;
  /** Set while somebody listens. */
  #stopListening: (() => void) | undefined;

  constructor(share: ConnectionShare) {
    this.#share = share;
  }

  get limit(): number {
    return this.#share.limit;
  }

  get used(): number {
    return this.#share.used;
  }

  tryTake(): ConnectionSlot | undefined {
    return this.#share.tryTake();
  }

  onChange(listener: () => void): () => void {
    const own = (): void => listener();
    this.#listeners.add(own);
    this.#stopListening ??= this.#listen();
    return () => {
      this.#listeners.delete(own);
      if (this.#listeners.size === 0) {
        this.#stopListening?.();
        this.#stopListening = undefined;
      }
    };
  }

  serverIsFull(): void {
    this.#share.serverIsFull();
  }

  /** Tells those who listen. */
  replace(share: ConnectionShare): void {
    this.#share = share;
    if (this.#stopListening !== undefined) {
      this.#stopListening();
      this.#stopListening = this.#listen();
      this.#tell();
    }
  }

  #listen(): () => void {
    return this.#share.onChange(() => this.#tell());
  }

  #tell(): void {
    for (const listener of this.#listeners) {
      listener();
    }
  }
}
