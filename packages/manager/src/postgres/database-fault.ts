import { Deadline, isTimeout } from "@multipooler/timing";
import type { Clock } from "@multipooler/timing";
import { TlsError, TlsErrorCode, tlsFault } from "@multipooler/tls";
import pg from "pg";
import { describeAddress } from "../address-text.ts";
import type { ServerConfig } from "./database-config.ts";
import { FrameFault } from "./frame-fault.ts";
import { messageOf } from "../error-message.ts";
import { ManagerError, ManagerErrorCode } from "../manager-error.ts";
import { probePeer } from "./peer-probe.ts";
import type { PeerVerdict } from "./peer-probe.ts";

/** The SQLSTATEs that this package acts on; see appendix A of PostgreSQL's manual. */
export const SqlState = {
  UniqueViolation: "23505",
  InvalidCatalogName: "3D000",
  DuplicateSchema: "42P06",
  DuplicateTable: "42P07",
  UndefinedTable: "42P01",
  InsufficientPrivilege: "42501",
  InvalidSchemaName: "3F000",
  QueryCanceled: "57014",
  TooManyConnections: "53300",
  CannotConnectNow: "57P03",
} as const;

const PROBE_TIMEOUT_MS = 1_000;

/** The SQLSTATE that PostgreSQL sent with `error`, or `undefined` if it does not come from there. */
function sqlStateOf(error: unknown): string | undefined {
  return error instanceof pg.DatabaseError ? error.code : undefined;
}

/** What a fault is judged by. */
export interface FaultContext {
  readonly config: ServerConfig;
  readonly clock: Clock;
}

/**
 * Says why a dial failed. Where neither PostgreSQL nor the system gave a reason, e.g. because the
 * peer hung up, the peer is asked once more whether it is PostgreSQL at all.
 */
export async function dialFault(error: unknown, context: FaultContext): Promise<ManagerError> {
  if (error instanceof ManagerError) {
    return error;
  }
  const { config } = context;
  const { place } = config;
  const sqlState = sqlStateOf(error);
  if (sqlState !== undefined) {
    return refusal(error, sqlState, config);
  }
  if (error instanceof FrameFault && error.kind !== "notPostgresql") {
    const message = `${place} does not complete the start-up: ${error.message}`;
    return error.kind === "authentication"
      ? new ManagerError(ManagerErrorCode.LoginUnsupported, message, { cause: error })
      : unavailable(message, error);
  }
  const reason = unreachableReason(error);
  if (reason !== undefined) {
    return unavailable(`${place} cannot be reached: ${reason}`, error);
  }
  const fault = encryptionFault(error);
  if (fault !== undefined) {
    return notEncrypted(place, fault, error);
  }
  switch (await probe(context)) {
    case "postgresql":
      return error instanceof TlsError
        ? notEncrypted(place, error.message, error)
        : unavailable(`${place} does not complete the start-up: ${messageOf(error)}`, error);
    case "unknown":
      return unavailable(`${place} does not answer: ${messageOf(error)}`, error);
    case "other":
      return new ManagerError(
        ManagerErrorCode.NotPostgresql,
        `what listens at ${describeAddress(config.address)} is not PostgreSQL`,
        { cause: error },
      );
  }
}

/** What is wrong with TLS; `undefined` where the peer may be none that speaks it. */
function encryptionFault(error: unknown): string | undefined {
  if (error instanceof TlsError) {
    return error.code === TlsErrorCode.ProtocolViolation ? undefined : error.message;
  }
  const fault = tlsFault(error);
  return fault === undefined ? undefined : `the server ended TLS: ${fault}`;
}

/** Says why the name of a server could not be looked up. */
export function lookupFault(error: unknown, { config }: FaultContext): ManagerError {
  const reason = unreachableReason(error) ?? messageOf(error);
  return unavailable(`${config.place} cannot be reached: ${reason}`, error);
}

/** Says what became of work whose signal aborted with `reason`. */
export function abortFault(reason: unknown, { config }: FaultContext): ManagerError {
  return isTimeout(reason)
    ? new ManagerError(
        ManagerErrorCode.DatabaseTimeout,
        `${config.place} does not answer: ${messageOf(reason)}`,
        { cause: reason },
      )
    : new ManagerError(ManagerErrorCode.Cancelled, "the call was cancelled", { cause: reason });
}

/** Says why a statement failed on a connection that was open. */
export function statementFault(error: unknown, { config }: FaultContext): ManagerError {
  if (error instanceof ManagerError) {
    return error;
  }
  const { place } = config;
  const sqlState = sqlStateOf(error);
  if (sqlState === SqlState.QueryCanceled) {
    return new ManagerError(
      ManagerErrorCode.DatabaseTimeout,
      `${place} did not end a statement in time`,
      { cause: error, sqlState },
    );
  }
  if (sqlState === undefined || isShutdown(sqlState)) {
    return unavailable(`${place} closed the connection: ${messageOf(error)}`, error, sqlState);
  }
  return new ManagerError(
    ManagerErrorCode.DatabaseError,
    `${place} answers: ${messageOf(error)} (SQLSTATE ${sqlState})`,
    { cause: error, sqlState },
  );
}

function refusal(error: unknown, sqlState: string, config: ServerConfig): ManagerError {
  const { place } = config;
  if (sqlState.startsWith("28")) {
    return new ManagerError(
      ManagerErrorCode.AuthenticationFailed,
      `${place} refuses user "${config.user}": ${messageOf(error)} (SQLSTATE ${sqlState})`,
      { cause: error, sqlState },
    );
  }
  if (sqlState === SqlState.InvalidCatalogName) {
    return new ManagerError(
      ManagerErrorCode.DatabaseNotFound,
      `${place} has no database "${config.database}"`,
      { cause: error, sqlState },
    );
  }
  return unavailable(
    `${place} refuses the connection: ${messageOf(error)} (SQLSTATE ${sqlState})`,
    error,
    sqlState,
  );
}

function notEncrypted(place: string, why: string, cause: unknown): ManagerError {
  return new ManagerError(
    ManagerErrorCode.TlsFailed,
    `${place} cannot be connected to as TLS is set: ${why}`,
    { cause },
  );
}

function unavailable(message: string, cause: unknown, sqlState?: string): ManagerError {
  return new ManagerError(ManagerErrorCode.DatabaseUnavailable, message, { cause, sqlState });
}

/** Class 57P: shut down, crashed, or not yet up. */
function isShutdown(sqlState: string): boolean {
  return sqlState.startsWith("57P") || sqlState.startsWith("08");
}

/** What the system says of an address to which no connection came about at all. */
function unreachableReason(error: unknown): string | undefined {
  if (!(error instanceof Error) || !("code" in error)) {
    return undefined;
  }
  switch (error.code) {
    case "ECONNREFUSED":
      return "connection refused (ECONNREFUSED)";
    case "ENOENT":
      return "no such socket (ENOENT)";
    case "EACCES":
      return "permission denied (EACCES)";
    case "ENOTFOUND":
      return "unknown host (ENOTFOUND)";
    case "EAI_AGAIN":
      return "the name server does not answer (EAI_AGAIN)";
    case "EHOSTUNREACH":
    case "ENETUNREACH":
      return `no route (${error.code})`;
    case "ETIMEDOUT":
      return "no answer (ETIMEDOUT)";
    default:
      return undefined;
  }
}

async function probe({ config, clock }: FaultContext): Promise<PeerVerdict> {
  using deadline = new Deadline({ clock, ms: PROBE_TIMEOUT_MS, what: "the probe" });
  return await probePeer(config.address, deadline.signal);
}
