import type { PortalStreamExecuteRequest } from "@multipooler/proto/multipoolerservice";
import type { ExecuteRequest } from "@multipooler/query-service";
import { GrpcServicesError, GrpcServicesErrorCode } from "../errors/error.ts";
import type { CallContext } from "../server/rpc.ts";
import { portalBinding } from "./portal-values.ts";
import { requestOrigin } from "./request-origin.ts";
import { requestPlace } from "./request-place.ts";

/** Execute counts in 31 bits. */
const MAX_ROWS = 0x7fff_ffffn;

/**
 * What PortalStreamExecute asks for. The names of the client do not count for the statement. Its
 * portal has the client's name only where a row limit may leave it open.
 *
 * @throws MISSING_ARGUMENT, INVALID_ARGUMENT
 */
export function portalRequest(
  message: PortalStreamExecuteRequest,
  context: Pick<CallContext, "peer">,
): ExecuteRequest {
  const { preparedStatement, portal, options, portalOptions, reservationOptions } = message;
  if (preparedStatement === undefined) {
    throw missing("prepared statement is required");
  }
  if (portal === undefined) {
    throw missing("portal is required");
  }
  const maxRows = options?.maxRows ?? 0n;
  if (maxRows > MAX_ROWS) {
    throw new GrpcServicesError(
      GrpcServicesErrorCode.InvalidArgument,
      `options.max_rows is ${maxRows}; 0 to ${MAX_ROWS} are allowed`,
    );
  }
  const openPortal = maxRows === 0n ? undefined : portal.name;
  return {
    ...requestOrigin(message, context),
    place: requestPlace({ options, reservationOptions, portal: openPortal }),
    statement: {
      type: "prepared",
      sql: preparedStatement.query,
      parameterTypes: preparedStatement.paramTypes,
      ...portalBinding(portal),
      portal: openPortal,
      maxRows: Number(maxRows),
      describe: portalOptions?.includeDescribe ?? false,
    },
  };
}

function missing(problem: string): GrpcServicesError {
  return new GrpcServicesError(GrpcServicesErrorCode.MissingArgument, problem);
}
