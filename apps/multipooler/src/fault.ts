import { GrpcServicesError, GrpcServicesErrorCode } from "@multipooler/grpc-services";
import { ManagerError, hostAndPort } from "@multipooler/manager";
import type { ManagerErrorCode } from "@multipooler/manager";
import { PgwireServicesError } from "@multipooler/pgwire-services";
import type { PgwireServicesErrorCode } from "@multipooler/pgwire-services";
import { TopoErrorCode, isTopoError } from "@multipooler/topo";

/** The settings to check, for faults that settings can fix. */
const SETTINGS: Readonly<Record<ManagerErrorCode, string | undefined>> = {
  INVALID_CONFIG: undefined,
  ALREADY_OPEN: undefined,
  NOT_OPEN: undefined,
  CANCELLED: undefined,
  INVALID_ARGUMENT: undefined,
  SUPERSEDED: undefined,
  FAILED_PRECONDITION: undefined,
  UNSUPPORTED: undefined,
  TIMED_OUT: undefined,
  LOCK_NOT_ACQUIRED: undefined,
  PROCESS_CONTROL_FAILED: undefined,
  LISTEN_FAILED: "--grpc-bind-address, --grpc-port, --grpc-socket-file",
  RECORD_FILE_INVALID: "--pooler-dir",
  REGISTRATION_REFUSED: "--cell, --service-id, --database, --table-group, --shard",
  NAME_IN_USE: "--cell, --service-id",
  SECOND_PRIMARY: undefined,
  DATABASE_UNAVAILABLE: "--socket-file, --pg-host, --pg-port",
  TLS_FAILED: "--pg-client-sslmode, --pg-client-ssl*",
  DATABASE_LEAVING: undefined,
  DATABASE_TIMEOUT: undefined,
  DATABASE_ERROR: undefined,
  AUTHENTICATION_FAILED: "--connpool-admin-user, --connpool-admin-password-file",
  LOGIN_UNSUPPORTED: undefined,
  DATABASE_NOT_FOUND: "--database",
  NOT_POSTGRESQL: "--socket-file, --pg-host, --pg-port",
  CLOSE_FAILED: undefined,
  INTERNAL: undefined,
};

/** Those of the listener for clients. */
const CLIENT_SETTINGS: Readonly<Record<PgwireServicesErrorCode, string | undefined>> = {
  LISTEN_FAILED: "--pg-listen-address, --pg-listen-port",
  TLS_FILES_INVALID: "--pg-tls-cert-file, --pg-tls-key-file, --pg-tls-client-ca-file",
  ALREADY_LISTENING: undefined,
  CANCELLED: undefined,
  INVALID_ARGUMENT: undefined,
};

/** What the system's error codes mean to the one who chose the address, as the other ports say it. */
const LISTEN_FAULTS: ReadonlyMap<unknown, string> = new Map([
  ["EADDRINUSE", "the port is in use"],
  ["EACCES", "the port may not be used without more privileges"],
  ["EADDRNOTAVAIL", "this machine does not have the address"],
  ["ENOTFOUND", "the name of the host is not known"],
]);

/** Describes a fault in one line for an operator, with the settings to check. */
export function explain(error: unknown): string {
  const settings = settingsFor(error);
  if (error instanceof Error && settings !== undefined) {
    return `${error.message} (see ${settings})`;
  }
  if (isListenError(error)) {
    const why = LISTEN_FAULTS.get(error.code) ?? error.message;
    return `HTTP cannot listen on ${hostAndPort(error.address, error.port)}: ${why} (see --bind-address, --http-port)`;
  }
  return error instanceof Error ? error.message : String(error);
}

function settingsFor(error: unknown): string | undefined {
  if (isTopoError(error, TopoErrorCode.Unavailable, TopoErrorCode.Timeout)) {
    return "--topo-global-server-addresses";
  }
  if (isTopoError(error, TopoErrorCode.Denied, TopoErrorCode.InvalidArgument)) {
    return "--topo-global-server-addresses, --topo-etcd-*";
  }
  if (error instanceof PgwireServicesError) {
    return CLIENT_SETTINGS[error.code];
  }
  if (error instanceof GrpcServicesError && error.code === GrpcServicesErrorCode.TlsFilesInvalid) {
    return "--grpc-cert, --grpc-key, --grpc-server-ca, --grpc-ca";
  }
  if (error instanceof GrpcServicesError && error.code === GrpcServicesErrorCode.TokensInvalid) {
    return "--grpc-manager-token-file";
  }
  if (!(error instanceof ManagerError)) {
    return undefined;
  }
  return settingsFor(error.cause) ?? SETTINGS[error.code];
}

interface ListenError extends NodeJS.ErrnoException {
  readonly address: string;
  readonly port: number;
}

function isListenError(error: unknown): error is ListenError {
  return (
    error instanceof Error && "syscall" in error && error.syscall === "listen" && "port" in error
  );
}
