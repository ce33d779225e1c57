import { PoolerErrorCode } from "@multipooler/query-service";
import { ManagerErrorCode } from "../manager-error.ts";
import type { ManagerError } from "../manager-error.ts";
import { SqlState } from "../postgres/database-fault.ts";

/**
 * Why a pooler is not ready, for programs that act on it. Closed.
 *
 * | code                   | queries meet                                                          | cured by |
 * | ---------------------- | --------------------------------------------------------------------- | -------- |
 * | NOT_OPEN               | nobody: the manager is not open                                       | the caller |
 * | STOPPING               | a pooler that is shutting down                                        | nobody   |
 * | START_FAILED           | a pooler that cannot start                                            | the operator |
 * | STARTING               | a pooler that is not there yet                                        | time     |
 * | DRAINED                | a pooler that an operator has taken out of service                    | the operator |
 * | NAME_IN_USE            | a pooler whose name another process uses                              | the operator |
 * | SECOND_PRIMARY         | a server beside the primary of its shard, which must not take writes  | the operator |
 * | WRONG_CLUSTER          | a server of another cluster than the shard's: it holds other data     | the operator |
 * | DIVERGED               | a server of the shard's cluster on another branch of its history      | the operator |
 * | DATABASE_UNREACHABLE   | no server                                                             | a retry  |
 * | DATABASE_LEAVING       | a server that is being let go, since it stops or has another address  | a retry  |
 * | DATABASE_IN_TRANSITION | a server that starts, stops or recovers (57P03)                       | a retry  |
 * | SERVER_FULL            | a server that has no connection left (53300)                          | a retry  |
 * | LOGIN_REFUSED          | a server that refuses the login, or asks for one that is not spoken   | the operator |
 * | CONNECTIONS_REFUSED    | a server that refuses new connections for another reason              | it depends |
 * | CHANGING               | a pooler on its way to another status or role                         | time     |
 * | CHANGE_FAILED          | a pooler that cannot get there yet                                    | a retry  |
 * | POOL_EXHAUSTED         | a pool without one free connection for long                           | time     |
 * | QUERY_PATH_BROKEN      | failures on the way to the server                                     | a retry  |
 * | WRITES_REFUSED         | a primary whose sessions are read-only by its configuration or an operator's wish | the operator |
 * | COMMITS_WAIT           | a primary whose commits wait for a standby that does not confirm      | the standby |
 */
export const NotReadyCode = {
  NotOpen: "NOT_OPEN",
  Stopping: "STOPPING",
  StartFailed: "START_FAILED",
  Starting: "STARTING",
  Drained: "DRAINED",
  NameInUse: "NAME_IN_USE",
  SecondPrimary: "SECOND_PRIMARY",
  WrongCluster: "WRONG_CLUSTER",
  Diverged: "DIVERGED",
  DatabaseUnreachable: "DATABASE_UNREACHABLE",
  DatabaseLeaving: "DATABASE_LEAVING",
  DatabaseInTransition: "DATABASE_IN_TRANSITION",
  ServerFull: "SERVER_FULL",
  LoginRefused: "LOGIN_REFUSED",
  ConnectionsRefused: "CONNECTIONS_REFUSED",
  Changing: "CHANGING",
  ChangeFailed: "CHANGE_FAILED",
  PoolExhausted: "POOL_EXHAUSTED",
  QueryPathBroken: "QUERY_PATH_BROKEN",
  WritesRefused: "WRITES_REFUSED",
  CommitsWait: "COMMITS_WAIT",
} as const;
export type NotReadyCode = (typeof NotReadyCode)[keyof typeof NotReadyCode];

/** Why a pooler is not ready: for a program, and in one line for people. */
export interface NotReady {
  readonly code: NotReadyCode;
  readonly reason: string;
}

/** The code of a database that is down. */
export function codeOfDatabase(error: ManagerError): NotReadyCode {
  if (error.code === ManagerErrorCode.DatabaseLeaving) {
    return NotReadyCode.DatabaseLeaving;
  }
  const code = codeOfRefusal(error);
  return code === NotReadyCode.ConnectionsRefused ? NotReadyCode.DatabaseUnreachable : code;
}

/** The code of a server that refuses new connections. */
export function codeOfRefusal({ code, sqlState }: ManagerError): NotReadyCode {
  switch (code) {
    case ManagerErrorCode.AuthenticationFailed:
    case ManagerErrorCode.LoginUnsupported:
      return NotReadyCode.LoginRefused;
    default:
      return codeOfSqlState(sqlState) ?? NotReadyCode.ConnectionsRefused;
  }
}

/** The code of what a controller says of the path that queries take. */
export function codeOfQueryPath(
  code: unknown,
  { sqlState, holdsConnections }: PathCircumstances,
): NotReadyCode {
  switch (code) {
    case PoolerErrorCode.ReadOnly:
      return NotReadyCode.WritesRefused;
    case PoolerErrorCode.AuthenticationFailed:
      return NotReadyCode.LoginRefused;
    case PoolerErrorCode.PoolExhausted:
      return holdsConnections ? NotReadyCode.PoolExhausted : NotReadyCode.ServerFull;
    default:
      return codeOfSqlState(sqlState) ?? NotReadyCode.QueryPathBroken;
  }
}

export interface PathCircumstances {
  readonly sqlState: string | undefined;
  readonly holdsConnections: boolean;
}

function codeOfSqlState(sqlState: string | undefined): NotReadyCode | undefined {
  switch (sqlState) {
    case SqlState.TooManyConnections:
      return NotReadyCode.ServerFull;
    case SqlState.CannotConnectNow:
      return NotReadyCode.DatabaseInTransition;
    default:
      return undefined;
  }
}
