/** Where a PostgreSQL server listens. `path` is the socket itself, not its directory. */
export type ServerAddress =
  | { readonly type: "socket"; readonly path: string }
  | { readonly type: "tcp"; readonly host: string; readonly port: number };
