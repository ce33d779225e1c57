import type { DatabaseHandle } from "@multipooler/controller-api";
import { BackendConnection } from "@multipooler/pgwire";
import { PoolerErrorCode } from "@multipooler/query-service";
import { Deadline } from "@multipooler/timing";
import type { Clock } from "@multipooler/timing";
import { MultiPoolerError, errorDiagnostic } from "../error.ts";
import { dialError } from "../postgres-error.ts";
import type { Backend, BackendAccess, OpenBackend } from "./backend.ts";
import type { Identity } from "./label.ts";

/** PostgreSQL cuts off longer names (NAMEDATALEN). */
const MAX_APPLICATION_NAME_BYTES = 63;

/** "read-write" leaves it to the administrator what the default is. */
const ACCESS_PARAMETERS: Readonly<Record<BackendAccess, Readonly<Record<string, string>>>> = {
  "read-write": {},
  "read-only": { default_transaction_read_only: "on" },
  // The server refuses writes by itself, until somebody promotes it.
  standby: { default_transaction_read_only: "on" },
};

/** What all sessions of a pool begin with. */
export interface BackendSettings {
  /** Their `application_name`. */
  readonly name: string;
  /** Others. */
  readonly settings?: Readonly<Record<string, string>> | undefined;
}

/**
 * Opens sessions on the database that the manager handed over, each within its dial timeout.
 *
 * The access is a start-up parameter: that wins over what the role, the database and the server
 * are configured to, and is what RESET goes back to. So are `name` and `settings`.
 */
export function postgresBackends(
  database: DatabaseHandle,
  { name, clock, settings = {} }: BackendSettings & { readonly clock: Clock },
): (identity: Identity) => OpenBackend {
  return (identity) =>
    async (access, { signal }) => {
      using deadline = new Deadline({
        clock,
        ms: database.dialTimeoutMs,
        what: "connecting to the database",
        signal,
      });
      const backend = await connect(
        { database, identity },
        { name, settings, access, signal: deadline.signal },
      );
      // A login trigger of the database may have changed the setting again.
      if (access !== "read-write" && !isReadOnly(backend)) {
        const error = notReadOnlyError();
        backend.destroy(error);
        await backend.closed;
        throw error;
      }
      return backend;
    };
}

/** `name` and the name of the pool, the former cut so that both fit. */
export function applicationName(name: string, pool: string): string {
  const suffix = ` ${pool}`;
  const room = MAX_APPLICATION_NAME_BYTES - Buffer.byteLength(suffix);
  // PostgreSQL keeps ASCII only.
  return name.replaceAll(/[^ -~]/g, "?").slice(0, room) + suffix;
}

async function connect(
  { database, identity }: { readonly database: DatabaseHandle; readonly identity: Identity },
  options: BackendSettings & {
    readonly access: BackendAccess;
    readonly signal: AbortSignal;
  },
): Promise<BackendConnection> {
  const { name, settings, access, signal } = options;
  const { user, keys } = identity;
  try {
    return await BackendConnection.connect(
      {
        address: database.address,
        tls: () => database.tls,
        user,
        database: database.database,
        credential: () =>
          keys === undefined
            ? database.credential(user, { signal })
            : Promise.resolve({ type: "scramKeys", keys }),
        parameters: {
          client_encoding: "UTF8",
          application_name: name,
          ...settings,
          ...ACCESS_PARAMETERS[access],
        },
      },
      { signal },
    );
  } catch (error) {
    throw dialError(error);
  }
}

/** Whether the server says that new transactions of the session are read-only. */
function isReadOnly(backend: Pick<Backend, "parameters">): boolean {
  return backend.parameters.get("default_transaction_read_only") === "on";
}

function notReadOnlyError(): MultiPoolerError {
  const message = "the database does not keep its sessions read-only";
  return new MultiPoolerError(PoolerErrorCode.Internal, message, {
    diagnostic: errorDiagnostic("25006", message),
  });
}
