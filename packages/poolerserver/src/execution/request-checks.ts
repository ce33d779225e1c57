import { PoolerErrorCode } from "@multipooler/query-service";
import type { ExecuteRequest, QueryTarget, Statement } from "@multipooler/query-service";
import { MultiPoolerError, errorDiagnostic } from "../error.ts";

/** What one pooler serves: requests that name something else are refused. */
export interface ServedTarget {
  readonly database: string;
  readonly tableGroup: string;
  readonly shard: string;
  readonly user: string;
}

/** The statements that a backend of the pool runs for one request only. */
export type OfferedStatement = Exclude<Statement, { type: "parse" }>;

/**
 * The statement of a request that reserves nothing.
 *
 * @throws WRONG_TARGET, INVALID_ARGUMENT, or UNIMPLEMENTED with the part that is not offered
 */
export function offeredStatement(request: ExecuteRequest, served: ServedTarget): OfferedStatement {
  requireTarget(request.target, served);
  if (request.statement.type === "parse") {
    const message = "eager unnamed Parse requires a reserved transaction";
    throw new MultiPoolerError(PoolerErrorCode.InvalidArgument, message);
  }
  return request.statement;
}

/** @throws WRONG_TARGET */
export function requireTarget(target: QueryTarget | undefined, served: ServedTarget): void {
  if (target === undefined) {
    return;
  }
  for (const part of ["tableGroup", "shard", "database"] as const) {
    if (target[part] === "" || served[part] === "" || target[part] === served[part]) {
      continue;
    }
    throw new MultiPoolerError(
      PoolerErrorCode.WrongTarget,
      `the request is for ${part} "${target[part]}", this pooler serves "${served[part]}"`,
    );
  }
}

export function notOffered(part: string): MultiPoolerError {
  const message = `this pooler does not offer ${part}`;
  return new MultiPoolerError(PoolerErrorCode.Unimplemented, message, {
    diagnostic: errorDiagnostic("0A000", message),
  });
}

/** Refused before anything is sent: the statements around a COPY would take effect. */
export function copyError(): MultiPoolerError {
  const message = "COPY from or to the client is a call of its own";
  return new MultiPoolerError(PoolerErrorCode.Unimplemented, message, {
    diagnostic: errorDiagnostic("0A000", message, {
      hint: "Nothing of the query string was run. Send the COPY alone, as a request for a COPY.",
    }),
  });
}
