import { host, ipAddress, path, port, settingGroup } from "./setting.ts";

const address = settingGroup("PostgreSQL");

/** Where PostgreSQL is. When a server moves, its pooler follows with a reload. */
export const databaseAddressSettings = {
  socketFile: address.optional("socket-file", path, {
    reload: true,
    help: "PostgreSQL's Unix socket, e.g. /run/postgresql/.s.PGSQL.5432; overrides --pg-host.",
  }),
  pgHost: address.required("pg-host", host, {
    default: "127.0.0.1",
    libpq: { keyword: "host", variable: "PGHOST" },
    reload: true,
    help: "Host of PostgreSQL, or the directory of its Unix socket.",
  }),
  pgHostAddress: address.optional("pg-hostaddr", ipAddress, {
    libpq: { keyword: "hostaddr", variable: "PGHOSTADDR" },
    reload: true,
    help: "IP address of PostgreSQL, so that --pg-host is not looked up; its certificate is for that still.",
  }),
  pgPort: address.required("pg-port", port, {
    default: "5432",
    libpq: { keyword: "port", variable: "PGPORT" },
    reload: true,
    help: "Port of PostgreSQL.",
  }),
};
