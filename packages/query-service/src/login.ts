/** Who is about to log in at a transport that checks passwords itself. */
export interface LoginRequest {
  /** The database that the client names. Roles belong to the server, so most executors ignore it. */
  readonly database: string;
  /** The role that it logs in as. */
  readonly user: string;
}

/** What a transport checks a login with. Secret: never log it, never keep it. */
export interface LoginCredentials {
  /**
   * The verifier as PostgreSQL stores it, `SCRAM-SHA-256$<iterations>:<salt>$<StoredKey>:<ServerKey>`.
   * `undefined` for a role without a password, or with one that SCRAM cannot check: it cannot log in
   * with a password.
   */
  readonly scramVerifier: string | undefined;
  /** Whether the role may open replication connections. */
  readonly isReplicationRole: boolean;
}
