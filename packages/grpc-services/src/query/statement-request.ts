import type { ExecuteRequest, Statement } from "@multipooler/query-service";
import type { ExecuteSqlPreparedStatement, ReservationOptions } from "@multipooler/proto/query";
import { GrpcServicesError, GrpcServicesErrorCode } from "../errors/error.ts";
import type { CallContext } from "../server/rpc.ts";
import { requestOrigin } from "./request-origin.ts";
import type { OriginMessage } from "./request-origin.ts";
import { requestPlace } from "./request-place.ts";

/** What ExecuteQuery and StreamExecute ask for. */
export interface StatementMessage extends OriginMessage {
  readonly query: string;
  readonly reservationOptions?: ReservationOptions | undefined;
}

/**
 * The request for the controller.
 *
 * @throws MISSING_ARGUMENT, or INVALID_ARGUMENT for what means nothing
 */
export function statementRequest(
  message: StatementMessage,
  context: Pick<CallContext, "peer">,
): ExecuteRequest {
  const named = message.options?.executeSqlPreparedStatement;
  return {
    ...requestOrigin(message, context),
    place: requestPlace(message),
    statement: named === undefined ? { type: "simple", sql: message.query } : namedStatement(named),
  };
}

/** The query of the message is empty then. */
function namedStatement({
  preparedStatement,
  sqlPrefix: prefix,
  sqlSuffix: suffix,
  forceUnnamedParse,
}: ExecuteSqlPreparedStatement): Statement {
  if (preparedStatement === undefined) {
    throw new GrpcServicesError(
      GrpcServicesErrorCode.MissingArgument,
      "prepared statement is required",
    );
  }
  const { query: sql, paramTypes: parameterTypes } = preparedStatement;
  return forceUnnamedParse
    ? { type: "parse", sql, parameterTypes }
    : { type: "sqlExecute", prefix, sql, parameterTypes, suffix };
}
