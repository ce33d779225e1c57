import type { DescribeRequest, DescribeResponse } from "@multipooler/proto/multipoolerservice";
import { GrpcServicesError, GrpcServicesErrorCode } from "../errors/error.ts";
import type { PoolerManager } from "../server/pooler-manager.ts";
import type { CallContext } from "../server/rpc.ts";
import { fieldMessages } from "./field-message.ts";
import { portalBinding } from "./portal-values.ts";
import { requestOrigin } from "./request-origin.ts";

/**
 * Answers Describe: with a portal its columns, otherwise the parameters and columns of the statement.
 *
 * @throws MISSING_ARGUMENT, INVALID_ARGUMENT
 */
export async function describeStatement(
  manager: Pick<PoolerManager, "queryServiceControl">,
  request: DescribeRequest,
  context: CallContext,
): Promise<DescribeResponse> {
  const { preparedStatement, portal, options } = request;
  if (preparedStatement === undefined) {
    throw new GrpcServicesError(
      GrpcServicesErrorCode.MissingArgument,
      "no prepared statement provided",
    );
  }
  const id = options?.reservedConnectionId ?? 0n;
  const service = manager.queryServiceControl().getExecutor();
  const { parameterTypes, fields } = await service.describe(
    {
      ...requestOrigin(request, context),
      place: id === 0n ? { type: "any" } : { type: "reserved", id },
      statement: { sql: preparedStatement.query, parameterTypes: preparedStatement.paramTypes },
      binding: portal === undefined ? undefined : portalBinding(portal),
    },
    { signal: context.signal },
  );
  return {
    description: {
      parameters: parameterTypes.map((dataTypeOid) => ({ dataTypeOid })),
      fields: fieldMessages(fields ?? []),
      hasFields: fields !== undefined,
    },
  };
}
