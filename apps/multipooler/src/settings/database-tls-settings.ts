import { CHANNEL_BINDINGS, TLS_MODES, TLS_NEGOTIATIONS } from "@multipooler/tls";
import {
  FILE_RELOAD,
  TLS_SET_UP,
  choice,
  path,
  settingGroup,
  text,
  unsetIfEmpty,
} from "./setting.ts";
import type { Setting } from "./setting.ts";

const tls = settingGroup("TLS to PostgreSQL", TLS_SET_UP);

/**
 * How connections to PostgreSQL are encrypted, with libpq's names, values and environment. A Unix socket
 * never is. None of them has to do with the TLS of psql and drivers.
 */
export const databaseTlsSettings = {
  pgClientSslMode: tls.optional("pg-client-sslmode", unsetIfEmpty(choice(TLS_MODES)), {
    libpq: { keyword: "sslmode", variable: "PGSSLMODE" },
    help: "As in libpq; if unset prefer, or verify-full with --pg-client-sslrootcert system.",
  }),
  pgClientSslRootCert: tls.optional("pg-client-sslrootcert", unsetIfEmpty(path), {
    reload: FILE_RELOAD,
    libpq: { keyword: "sslrootcert", variable: "PGSSLROOTCERT" },
    help: 'PEM file with the authorities that are trusted, or "system" for those of the system.',
  }),
  pgClientSslNegotiation: tls.required("pg-client-sslnegotiation", choice(TLS_NEGOTIATIONS), {
    default: "postgres",
    libpq: { keyword: "sslnegotiation", variable: "PGSSLNEGOTIATION" },
    help: "How TLS begins: direct saves a round trip and needs PostgreSQL 17.",
  }),
  pgClientSslCert: tls.optional("pg-client-sslcert", path, {
    reload: FILE_RELOAD,
    libpq: { keyword: "sslcert", variable: "PGSSLCERT" },
    help: "PEM file with the certificate that is shown to PostgreSQL.",
  }),
  pgClientSslKey: tls.optional("pg-client-sslkey", path, {
    reload: FILE_RELOAD,
    libpq: { keyword: "sslkey", variable: "PGSSLKEY" },
    help: "PEM file with the key of --pg-client-sslcert.",
  }),
  pgClientSslServerName: tls.optional("pg-client-sslservername", text, {
    help: "Name or IP address that PostgreSQL's certificate is for; if unset --pg-host.",
  }),
  pgClientChannelBinding: tls.required("pg-client-channel-binding", choice(CHANNEL_BINDINGS), {
    default: "prefer",
    libpq: { keyword: "channel_binding", variable: "PGCHANNELBINDING" },
    help: "Whether logins with a password are bound to PostgreSQL's certificate.",
  }),
} as const satisfies Record<string, Setting<unknown>>;
