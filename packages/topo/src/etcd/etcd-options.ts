/** Files in PEM for connections to a server that speaks TLS. */
export interface EtcdTlsFiles {
  /** Whose certificates to trust; those of the system otherwise. */
  readonly caFile?: string | undefined;
  /** The certificate to show, with its key, where the server asks for one. */
  readonly certFile?: string | undefined;
  readonly keyFile?: string | undefined;
}

/** Whom to log in as. */
export interface EtcdCredentials {
  readonly username: string;
  readonly password: string;
}
