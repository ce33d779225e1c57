import type {
  ExecuteRequest,
  Outcome,
  QueryService,
  ResultEvent,
} from "@multipooler/query-service";
import { GrpcServicesError, GrpcServicesErrorCode } from "../errors/error.ts";
import type { CallContext } from "../server/rpc.ts";

/** Takes what a statement yields. A promise means: wait. May throw. */
export type TakeEvent = (event: ResultEvent) => Promise<void> | undefined;

/**
 * Runs a statement and hands what it yields to `take`. When `take` throws, the controller is told
 * to end the statement, and the error that was thrown comes out, not what the controller made of
 * it.
 */
export async function executeStatement(
  service: QueryService,
  request: ExecuteRequest,
  take: TakeEvent,
  { signal }: CallContext,
): Promise<Outcome> {
  let thrown: { readonly error: unknown } | undefined;
  const sink = {
    write(event: ResultEvent): Promise<void> | undefined {
      try {
        return take(event);
      } catch (error) {
        thrown ??= { error };
        return Promise.reject(cannotSend(error));
      }
    },
  };
  let outcome: Outcome;
  try {
    outcome = await service.streamExecute(request, sink, { signal });
  } catch (error) {
    throw thrown === undefined ? error : thrown.error;
  }
  if (thrown !== undefined) {
    throw thrown.error;
  }
  return outcome;
}

function cannotSend(cause: unknown): GrpcServicesError {
  return new GrpcServicesError(GrpcServicesErrorCode.Cancelled, "the results cannot be sent", {
    cause,
  });
}
