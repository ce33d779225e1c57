import type { ReservationRequest } from "@multipooler/query-service";
import type {
  ConcludeTransactionRequest,
  ConcludeTransactionResponse,
  DiscardTempTablesRequest,
  DiscardTempTablesResponse,
  ReleaseReservedConnectionRequest,
  ReleaseReservedConnectionResponse,
} from "@multipooler/proto/multipoolerservice";
import { TransactionConclusion } from "@multipooler/proto/multipoolerservice";
import { GrpcServicesError, GrpcServicesErrorCode } from "../errors/error.ts";
import { ReservedFailure } from "../errors/reserved-failure.ts";
import type { PoolerManager } from "../server/pooler-manager.ts";
import type { CallContext } from "../server/rpc.ts";
import { CollectedResult } from "./collected-result.ts";
import { requestOrigin } from "./request-origin.ts";
import type { OriginMessage } from "./request-origin.ts";
import { reservedState } from "./reserved-state.ts";
import { execute } from "./statement-execution.ts";
import type { Execute, Execution } from "./statement-execution.ts";
import { releaseUnheard } from "./unheard-reservation.ts";

/** The part of the query service's options that the verbs of reservations need. */
export interface ReservationVerbOptions {
  readonly manager: Pick<PoolerManager, "queryServiceControl" | "status">;
  readonly maxMessageBytes: number;
}

/**
 * A failure says in a detail of its status what stays reserved. Where the call was cut nothing stays: its
 * gateway takes the connection for lost.
 */
export async function concludeTransaction(
  options: ReservationVerbOptions,
  request: ConcludeTransactionRequest,
  context: CallContext,
): Promise<ConcludeTransactionResponse> {
  const { chain, releaseAllPortals, releasePortalNames, rollbackSessionSettings } = request;
  const wish = {
    ...reservationRequest(request, context),
    conclusion: conclusionOf(request.conclusion),
    chain,
    releases: releaseAllPortals ? "all" : releasePortalNames,
    rollbackSettings:
      rollbackSessionSettings === undefined
        ? undefined
        : new Map(Object.entries(rollbackSessionSettings.vars)),
  } as const;
  const service = options.manager.queryServiceControl().getExecutor();
  const { result, reservation, failure } = await collect(options, (sink) =>
    service.concludeTransaction(wish, sink, context),
  );
  const isHeard = !context.signal.aborted;
  if (!isHeard) {
    await releaseUnheard(service, wish, reservation);
  }
  const state = isHeard ? reservedState(options.manager, reservation) : undefined;
  if (failure !== undefined) {
    throw state === undefined ? failure.error : new ReservedFailure(failure.error, state);
  }
  return { result, reservedState: state };
}

/** After a failure nothing stays reserved: it could not be said, and its gateway takes it for lost. */
export async function discardTempTables(
  options: ReservationVerbOptions,
  request: DiscardTempTablesRequest,
  context: CallContext,
): Promise<DiscardTempTablesResponse> {
  const wish = reservationRequest(request, context);
  const service = options.manager.queryServiceControl().getExecutor();
  const { result, reservation, failure } = await collect(options, (sink) =>
    service.discardTempTables(wish, sink, context),
  );
  const isHeard = failure === undefined && !context.signal.aborted;
  if (!isHeard) {
    await releaseUnheard(service, wish, reservation);
  }
  if (failure !== undefined) {
    throw failure.error;
  }
  return {
    result,
    reservedState: isHeard ? reservedState(options.manager, reservation) : undefined,
  };
}

/** Without an id there is nothing to release, which is no error. */
export async function releaseReservedConnection(
  { manager }: ReservationVerbOptions,
  message: ReleaseReservedConnectionRequest,
  context: CallContext,
): Promise<ReleaseReservedConnectionResponse> {
  if (reservedIdOf(message) === 0n) {
    return { reservedState: undefined };
  }
  const request = reservationRequest(message, context);
  const service = manager.queryServiceControl().getExecutor();
  const keepsSticky = message.keepStickyReservations;
  const { reservation } = await service.releaseReservation({ ...request, keepsSticky }, context);
  if (context.signal.aborted) {
    await releaseUnheard(service, request, reservation);
    return { reservedState: undefined };
  }
  return { reservedState: reservedState(manager, reservation) };
}

/** @throws MISSING_ARGUMENT where no reservation is named */
function reservationRequest(message: OriginMessage, context: CallContext): ReservationRequest {
  const id = reservedIdOf(message);
  if (id === 0n) {
    throw new GrpcServicesError(
      GrpcServicesErrorCode.MissingArgument,
      "reserved_connection_id is required",
    );
  }
  return { ...requestOrigin(message, context), id };
}

function reservedIdOf({ options }: OriginMessage): bigint {
  return options?.reservedConnectionId ?? 0n;
}

function conclusionOf(conclusion: TransactionConclusion): "commit" | "rollback" {
  switch (conclusion) {
    case TransactionConclusion.TRANSACTION_CONCLUSION_COMMIT:
      return "commit";
    case TransactionConclusion.TRANSACTION_CONCLUSION_ROLLBACK:
      return "rollback";
    case TransactionConclusion.TRANSACTION_CONCLUSION_UNSPECIFIED:
    // An enum of proto3 is open: any number may arrive.
    case TransactionConclusion.UNRECOGNIZED:
    default:
      throw new GrpcServicesError(
        GrpcServicesErrorCode.InvalidArgument,
        `conclusion ${String(conclusion)} is neither COMMIT nor ROLLBACK`,
      );
  }
}

async function collect(
  { maxMessageBytes }: ReservationVerbOptions,
  run: Execute,
): Promise<{
  readonly result: ReturnType<CollectedResult["result"]>;
  readonly reservation: Execution["reservation"];
  readonly failure: Execution["failure"];
}> {
  const collected = new CollectedResult(maxMessageBytes);
  const { reservation, failure } = await execute(run, (event) => collected.take(event));
  return { result: collected.result(), reservation, failure };
}
