import type { DatabaseHandle } from "@multipooler/controller-api";
import type { PoolerError } from "@multipooler/query-service";

/** No such database, none that may be connected to, no right to connect, and too many connections. */
const ABOUT_DATABASE = new Set(["3D000", "55000", "42501", "53300"]);

/**
 * The handle of another database of the same server. Its `admin` still asks in the manager's own
 * database, which is enough for what all databases share: roles, processes, defaults, the databases
 * themselves. `onRefused` is called when a dial was refused for the database's sake, which says
 * nothing about the server.
 */
export function furtherDatabase(
  server: DatabaseHandle,
  database: string,
  onRefused: () => void,
): DatabaseHandle {
  return {
    // Of another server after the handle was replaced.
    get address() {
      return server.address;
    },
    database,
    user: server.user,
    // Replaced as a whole when certificates are reloaded.
    get tls() {
      return server.tls;
    },
    get dialTimeoutMs() {
      return server.dialTimeoutMs;
    },
    applicationName: server.applicationName,
    share: server.share,
    credential: async (user, options) => await server.credential(user, options),
    admin: async (sql, values, options) => await server.admin(sql, values, options),
    suspect: (cause) => {
      if (isAboutDatabase(cause)) {
        onRefused();
      } else {
        server.suspect(cause);
      }
    },
  };
}

function isAboutDatabase({ diagnostic }: PoolerError): boolean {
  return diagnostic !== undefined && ABOUT_DATABASE.has(diagnostic.code);
}
