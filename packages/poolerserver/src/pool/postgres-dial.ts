import { PoolerErrorCode } from "@multipooler/controller-api";
import type { DatabaseHandle } from "@multipooler/controller-api";
import { BackendConnection } from "@multipooler/pgwire";
import { Deadline } from "@multipooler/timing";
import type { Clock } from "@multipooler/timing";
import type { Backend, BackendAccess, OpenBackend } from "./backend.ts";
import { MultiPoolerError, errorDiagnostic } from "./error.ts";
import { dialError } from "./postgres-error.ts";

/** "read-write" leaves it to the administrator what the default is. */
const START_UP_PARAMETERS: Readonly<Record<BackendAccess, Readonly<Record<string, string>>>> = {
  "read-write": { client_encoding: "UTF8" },
  "read-only": { client_encoding: "UTF8", default_transaction_read_only: "on" },
};

/**
 * Opens sessions on the database that the manager handed over, each within its dial timeout.
 *
 * The access is a start-up parameter: that wins over what the role, the database and the server
 * are configured to, and is what RESET goes back to.
 */
export function postgresBackends(database: DatabaseHandle, clock: Clock): OpenBackend {
  return async (access, { signal }) => {
    using deadline = new Deadline({ clock, ms: database.dialTimeoutMs, what: "the dial", signal });
    const backend = await connect(database, access, deadline.signal);
    // A login trigger of the database may have changed the setting again.
    if (access === "read-only" && !isReadOnly(backend)) {
      const error = notReadOnlyError();
      backend.destroy(error);
      await backend.closed;
      throw error;
    }
    return backend;
  };
}

/** Whether the server says that new transactions of the session are read-only. */
function isReadOnly(backend: Pick<Backend, "parameters">): boolean {
  return backend.parameters.get("default_transaction_read_only") === "on";
}

/** Rejects with what {@link dialError} makes of a failed attempt. */
export async function connect(
  database: DatabaseHandle,
  access: BackendAccess,
  signal: AbortSignal,
): Promise<BackendConnection> {
  try {
    return await BackendConnection.connect(
      {
        address: database.address,
        user: database.user,
        database: database.database,
        password: () => database.password(),
        parameters: START_UP_PARAMETERS[access],
      },
      { signal },
    );
  } catch (error) {
    throw dialError(error);
  }
}

function notReadOnlyError(): MultiPoolerError {
  const message = "the database does not keep its sessions read-only";
  return new MultiPoolerError(PoolerErrorCode.Internal, message, {
    diagnostic: errorDiagnostic("25006", message),
  });
}
