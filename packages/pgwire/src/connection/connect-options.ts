import type { ScramKeys } from "@multipooler/query-service";
import type { TlsSettings } from "@multipooler/tls";

/** Where a PostgreSQL server listens. `path` is the socket itself, not its directory. */
export type ServerAddress =
  | { readonly type: "socket"; readonly path: string }
  | { readonly type: "tcp"; readonly host: string; readonly port: number };

/** Proves the user's identity to the server. "none": the server is expected to trust the address. */
export type Credential =
  | { readonly type: "none" }
  | { readonly type: "password"; readonly password: string }
  | { readonly type: "scramKeys"; readonly keys: ScramKeys };

export const DEFAULT_MAX_MESSAGE_BYTES = 16_777_216;

/** Which server to connect to, as whom, and within which limits. */
export interface ConnectOptions {
  readonly address: ServerAddress;
  readonly user: string;
  readonly database: string;
  /**
   * Asked once, if the server wants proof. When it rejects, `connect` does with CONNECT_FAILED.
   * Default: none.
   */
  readonly credential?: (() => Promise<Credential>) | undefined;
  /**
   * How TCP connections are encrypted, those of cancel requests included. Asked at each dial, so that
   * certificates can be replaced. Default: not at all. A Unix socket never is.
   */
  readonly tls?: (() => TlsSettings) | undefined;
  /**
   * Further start-up parameters: settings of the session, such as `application_name`.
   *
   * This package writes and reads text as UTF-8. For a database in another encoding pass
   * `client_encoding: "UTF8"`, or what is not ASCII is garbled in queries and messages. Results are
   * bytes in the client encoding of the session.
   */
  readonly parameters?: Readonly<Record<string, string>> | undefined;
  /**
   * The longest message that the server may send. Rows are excepted: they are streamed, and bound by
   * the protocol's 1 GiB. So are errors and notices: beyond 8 MiB their end is cut off. For requests
   * that read spans it bounds only what the connection reads itself.
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
