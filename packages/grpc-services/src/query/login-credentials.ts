import type {
  GetAuthCredentialsRequest,
  GetAuthCredentialsResponse,
} from "@multipooler/proto/multipoolerservice";
import { PoolerErrorCode } from "@multipooler/query-service";
import { GrpcServicesError, GrpcServicesErrorCode } from "../errors/error.ts";
import { isPoolerError } from "../errors/pooler-error.ts";
import type { PoolerManager } from "../server/pooler-manager.ts";
import type { CallContext } from "../server/rpc.ts";

/**
 * Answers GetAuthCredentials. Its texts and codes are those of Multigres, whose gateway takes a user
 * that is NOT_FOUND or has no verifier for one that gave a wrong password, and waits for another
 * primary where it is told UNAVAILABLE.
 */
export async function getAuthCredentials(
  manager: Pick<PoolerManager, "queryServiceControl">,
  { database, username: user }: GetAuthCredentialsRequest,
  { signal }: Pick<CallContext, "signal">,
): Promise<GetAuthCredentialsResponse> {
  if (user === "") {
    throw new GrpcServicesError(GrpcServicesErrorCode.InvalidArgument, "username is required");
  }
  if (database === "") {
    throw new GrpcServicesError(GrpcServicesErrorCode.InvalidArgument, "database is required");
  }
  const service = manager.queryServiceControl().getExecutor();
  const found = await service.getCredentials({ database, user }, { signal }).catch(failLookup);
  if (found === undefined) {
    throw new GrpcServicesError(GrpcServicesErrorCode.NotFound, `user "${user}" not found`);
  }
  return { scramHash: found.scramVerifier ?? "", isReplicationRole: found.isReplicationRole };
}

/** Rethrows an error as Multigres' gateway knows it from this call. */
function failLookup(error: unknown): never {
  if (!isPoolerError(error)) {
    throw error;
  }
  const { code, message } = error;
  switch (code) {
    case PoolerErrorCode.PreExecutionUnavailable:
    case PoolerErrorCode.PoolExhausted:
    case PoolerErrorCode.ConnectionLost:
      throw new GrpcServicesError(
        GrpcServicesErrorCode.Unavailable,
        `failed to get admin connection: ${message}`,
        { cause: error },
      );
    case PoolerErrorCode.DatabaseError:
    case PoolerErrorCode.Internal:
      throw new GrpcServicesError(
        GrpcServicesErrorCode.LookupFailed,
        `failed to get role password: ${message}`,
        { cause: error },
      );
    case PoolerErrorCode.NotInitialized:
    case PoolerErrorCode.NotOpen:
    case PoolerErrorCode.NotServing:
    case PoolerErrorCode.WrongTarget:
    case PoolerErrorCode.InvalidArgument:
    case PoolerErrorCode.Unimplemented:
    case PoolerErrorCode.ReadOnly:
    case PoolerErrorCode.ReservationLost:
    case PoolerErrorCode.SubscriberBehind:
    case PoolerErrorCode.AuthenticationFailed:
    case PoolerErrorCode.Cancelled:
    case PoolerErrorCode.DeadlineExceeded:
      throw error;
  }
}
