import { CHANNEL_BINDINGS, TLS_MODES, TLS_NEGOTIATIONS } from "@multipooler/tls";
import { choice, path, settingGroup, text, unsetIfEmpty } from "./setting.ts";
import type { Setting } from "./setting.ts";

const tls = settingGroup("TLS to PostgreSQL");

/**
 * How connections to PostgreSQL are encrypted, with libpq's names, values and environment. A Unix socket
 * never is. None of them has to do with the TLS of psql and drivers.
 */
export const databaseTlsSettings = {
  pgClientSslMode: tls.optional("pg-client-sslmode", unsetIfEmpty(choice(TLS_MODES)), {
    env: ["PGSSLMODE"],
    help: "As in libpq; if unset prefer, or verify-full with --pg-client-sslrootcert system.",
  }),
  pgClientSslRootCert: tls.optional("pg-client-sslrootcert", unsetIfEmpty(path), {
    env: ["PGSSLROOTCERT"],
    help: 'PEM file with the authorities that are trusted, or "system" for those of the system.',
  }),
  pgClientSslNegotiation: tls.required("pg-client-sslnegotiation", choice(TLS_NEGOTIATIONS), {
    default: "postgres",
    env: ["PGSSLNEGOTIATION"],
    help: "How TLS begins: direct saves a round trip and needs PostgreSQL 17.",
  }),
  pgClientSslCert: tls.optional("pg-client-sslcert", path, {
    env: ["PGSSLCERT"],
    help: "PEM file with the certificate that is shown to PostgreSQL.",
  }),
  pgClientSslKey: tls.optional("pg-client-sslkey", path, {
    env: ["PGSSLKEY"],
    help: "PEM file with the key of --pg-client-sslcert.",
  }),
  pgClientSslServerName: tls.optional("pg-client-sslservername", text, {
    help: "Name or IP address that PostgreSQL's certificate is for; if unset --pg-host.",
  }),
  pgClientChannelBinding: tls.required("pg-client-channel-binding", choice(CHANNEL_BINDINGS), {
    default: "prefer",
    env: ["PGCHANNELBINDING"],
    help: "Whether logins with a password are bound to PostgreSQL's certificate.",
  }),
} as const satisfies Record<string, Setting<unknown>>;
