import { Metadata, status as StatusCode } from "@grpc/grpc-js";
import type { RPCError } from "@multipooler/proto/mtrpc";
import type { PgDiagnostic, ReservedState } from "@multipooler/proto/query";
import { DETAILS_TRAILER, decodeReservedState, decodeRpcError } from "./rpc-status.ts";

/** The name of a gRPC status code, e.g. "UNAVAILABLE". */
export type GrpcStatusName = keyof typeof StatusCode;

/** What goes with a {@link GrpcStatusError}. */
export interface GrpcStatusErrorDetails {
  readonly rpcError?: RPCError | undefined;
  readonly reservedState?: ReservedState | undefined;
  readonly cause?: unknown;
}

/** The error that a call rejects with: its status, and what the pooler says beyond it. */
export class GrpcStatusError extends Error {
  override readonly name = "GrpcStatusError";
  readonly code: GrpcStatusName;
  /** What the pooler says beyond the status; its own code may be one of Multigres' own. */
  readonly rpcError: RPCError | undefined;
  /** What stays reserved although the call failed, where the status says it. */
  readonly reservedState: ReservedState | undefined;

  constructor(code: GrpcStatusName, message: string, details: GrpcStatusErrorDetails = {}) {
    super(message, { cause: details.cause });
    this.code = code;
    this.rpcError = details.rpcError;
    this.reservedState = details.reservedState;
  }

  /** The error as PostgreSQL words it, where there is one. */
  get diagnostic(): PgDiagnostic | undefined {
    return this.rpcError?.pgDiagnostic;
  }
}

/** The typed form of what grpc-js throws or hands to a callback. */
export function grpcStatusError(error: unknown): GrpcStatusError {
  if (error instanceof GrpcStatusError) {
    return error;
  }
  if (!(error instanceof Error)) {
    return new GrpcStatusError("UNKNOWN", String(error));
  }
  const [trailer] =
    "metadata" in error && error.metadata instanceof Metadata
      ? error.metadata.get(DETAILS_TRAILER)
      : [];
  return new GrpcStatusError(
    "code" in error ? statusName(error.code) : "UNKNOWN",
    "details" in error && typeof error.details === "string" ? error.details : error.message,
    Buffer.isBuffer(trailer)
      ? {
          rpcError: decodeRpcError(trailer),
          reservedState: decodeReservedState(trailer),
          cause: error,
        }
      : { cause: error },
  );
}

function statusName(code: unknown): GrpcStatusName {
  const name = typeof code === "number" ? StatusCode[code] : undefined;
  return name !== undefined && isStatusName(name) ? name : "UNKNOWN";
}

function isStatusName(name: string): name is GrpcStatusName {
  return name in StatusCode;
}
