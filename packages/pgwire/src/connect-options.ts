import type { ServerAddress } from "./address.ts";

/** How to reach and enter a PostgreSQL server. */
export interface ConnectOptions {
  readonly address: ServerAddress;
  readonly user: string;
  readonly database: string;
  /** Asked once, if the server wants a password. */
  readonly password?: (() => string | undefined) | undefined;
  /**
   * Further start-up parameters: settings of the session, such as `default_transaction_read_only`.
   *
   * This package writes and reads text as UTF-8. For a database in another encoding pass
   * `client_encoding: "UTF8"`, or what is not ASCII is garbled in queries, column names and
   * messages. Row blocks are bytes in whatever encoding is in force.
   */
  readonly parameters?: Readonly<Record<string, string>> | undefined;
  /**
   * The longest message that the server may send. Rows are excepted: they are streamed, and bound by
   * the protocol's 1 GiB. So are errors and notices: beyond 8 MiB their end is cut off.
   * Default: 16 MiB.
   */
  readonly maxMessageBytes?: number | undefined;
  /** How long `close` waits for the server to end the session once it was told to. Default: 5000. */
  readonly closeTimeoutMs?: number | undefined;
}

/** Bounds a call; without a signal it waits for as long as the server does. */
export interface CallOptions {
  readonly signal?: AbortSignal | undefined;
}
