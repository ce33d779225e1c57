import { MAX_ROW_BLOCK_BYTES } from "@multipooler/query-service";
import type { Reservation } from "@multipooler/query-service";
import { ID_ComponentType } from "@multipooler/proto/clustermetadata";
import { MultipoolerServiceDefinition } from "@multipooler/proto/multipoolerservice";
import type {
  ExecuteQueryRequest,
  ExecuteQueryResponse,
  StreamExecuteRequest,
} from "@multipooler/proto/multipoolerservice";
import type { ReservedState } from "@multipooler/proto/query";
import { systemClock } from "@multipooler/timing";
import { DEFAULT_STALENESS_MS, PoolerHealth } from "../health/pooler-health.ts";
import { CollectedResult } from "./collected-result.ts";
import type { PoolerManager } from "../server/pooler-manager.ts";
import { getAuthCredentials } from "./login-credentials.ts";
import { encodeResultMessage } from "./result-message.ts";
import type { ResultMessage } from "./result-message.ts";
import { ResultStream } from "./result-stream.ts";
import { PassthroughBatcher, StructuredBatcher } from "./row-batch.ts";
import type { RowBatcher } from "./row-batch.ts";
import { RowDecoder } from "./row-decoder.ts";
import type { CallContext, MessageSink } from "../server/rpc.ts";
import { bindService, serverStream, unary } from "../server/service-binding.ts";
import type { BoundService } from "../server/service-binding.ts";
import { executeStatement } from "./statement-execution.ts";
import { refuseReservation, statementRequest } from "./statement-request.ts";

export interface QueryServiceOptions {
  readonly manager: PoolerManager;
  /** Aborts when the server begins to close. */
  readonly closing: AbortSignal;
  /** How long a gateway waits for a message of StreamPoolerHealth. Default: 90 s. */
  readonly healthStalenessMs?: number | undefined;
  /** The largest message that a client takes. */
  readonly maxMessageBytes: number;
  /** From how many bytes on rows are sent. Default {@link MAX_ROW_BLOCK_BYTES}. */
  readonly batchBytes?: number | undefined;
}

/** `multipoolerservice.MultipoolerService`, served by the manager's controller. */
export function bindQueryService(options: QueryServiceOptions): BoundService {
  const { methods } = MultipoolerServiceDefinition;
  const { manager, closing, healthStalenessMs: stalenessMs = DEFAULT_STALENESS_MS } = options;
  const health = new PoolerHealth({ manager, closing, stalenessMs, clock: systemClock });
  return bindService(MultipoolerServiceDefinition, [
    unary(methods.executeQuery, (request, context) => executeQuery(options, request, context)),
    serverStream(methods.streamExecute, encodeResultMessage, (request, sink, context) =>
      streamExecute({ ...options, sink }, request, context),
    ),
    unary(methods.getAuthCredentials, (request, context) =>
      getAuthCredentials(manager, request, context),
    ),
    serverStream(
      methods.streamPoolerHealth,
      (message: Uint8Array) => message,
      (_request, sink, context) => health.stream(sink, context),
      { maxUnsentBytes: 1 },
    ),
  ]);
}

async function executeQuery(
  { manager, maxMessageBytes }: QueryServiceOptions,
  request: ExecuteQueryRequest,
  context: CallContext,
): Promise<ExecuteQueryResponse> {
  const statement = statementRequest(request, context);
  const collected = new CollectedResult(maxMessageBytes);
  const service = manager.queryServiceControl().getExecutor();
  const { reservation, failure } = await executeStatement(
    service,
    statement,
    (event) => collected.take(event),
    context,
  );
  if (failure !== undefined) {
    // One message cannot say both that the call failed and what is still reserved.
    throw failure.error;
  }
  return { result: collected.result(), reservedState: reservedState(manager, reservation) };
}

async function streamExecute(
  options: QueryServiceOptions & { readonly sink: MessageSink<ResultMessage> },
  request: StreamExecuteRequest,
  context: CallContext,
): Promise<void> {
  const { manager, sink } = options;
  refuseReservation(request.reservationOptions);
  const statement = statementRequest(request, context);
  const results = new ResultStream({
    sink,
    batcher: rowBatcher(options, request.options?.passthroughRow ?? false),
  });
  const service = manager.queryServiceControl().getExecutor();
  const { reservation, failure } = await executeStatement(
    service,
    statement,
    (event) => results.take(event),
    context,
  );
  await results.end(reservedState(manager, reservation));
  if (failure !== undefined) {
    throw failure.error;
  }
}

/** A reservation as the wire carries it, with the pooler that every further call must go to. */
function reservedState(
  manager: Pick<PoolerManager, "status">,
  reservation: Reservation | undefined,
): ReservedState | undefined {
  if (reservation === undefined) {
    return undefined;
  }
  return {
    reservedConnectionId: reservation.id,
    poolerId: { component: ID_ComponentType.MULTIPOOLER, ...manager.status().pooler },
    reservationReasons: reservation.reasons,
    backendProcessId: reservation.backendProcessId,
  };
}

function rowBatcher(options: QueryServiceOptions, passthrough: boolean): RowBatcher {
  const batchBytes = options.batchBytes ?? MAX_ROW_BLOCK_BYTES;
  return passthrough
    ? new PassthroughBatcher(batchBytes)
    : new StructuredBatcher(batchBytes, new RowDecoder(options.maxMessageBytes));
}
