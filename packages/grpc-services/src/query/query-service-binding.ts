import { MAX_ROW_BLOCK_BYTES } from "@multipooler/query-service";
import type { ExecuteRequest } from "@multipooler/query-service";
import { MultipoolerServiceDefinition } from "@multipooler/proto/multipoolerservice";
import type {
  ExecuteQueryRequest,
  ExecuteQueryResponse,
} from "@multipooler/proto/multipoolerservice";
import { systemClock } from "@multipooler/timing";
import { DEFAULT_STALENESS_MS, PoolerHealth } from "../health/pooler-health.ts";
import { CollectedResult } from "./collected-result.ts";
import { KnownFields } from "./known-fields.ts";
import { encodeNotificationStreamResponse, notificationStream } from "./notification-stream.ts";
import { encodeCopyMessage } from "./copy/copy-message.ts";
import { copyBidiExecute } from "./copy/copy-verb.ts";
import type { PoolerManager } from "../server/pooler-manager.ts";
import { portalRequest } from "./portal-request.ts";
import { getAuthCredentials } from "./login-credentials.ts";
import { encodeResultMessage } from "./result-message.ts";
import type { ResultMessage } from "./result-message.ts";
import { ResultStream } from "./result-stream.ts";
import { PassthroughBatcher, StructuredBatcher } from "./row-batch.ts";
import type { RowBatcher } from "./row-batch.ts";
import { RowDecoder } from "./row-decoder.ts";
import type { CallContext, MessageSink } from "../server/rpc.ts";
import { bidiStream, bindService, serverStream, unary } from "../server/service-binding.ts";
import type { BoundService } from "../server/service-binding.ts";
import { describeStatement } from "./statement-description.ts";
import {
  concludeTransaction,
  discardTempTables,
  releaseReservedConnection,
} from "./reservation-verbs.ts";
import { reservedState } from "./reserved-state.ts";
import { execute } from "./statement-execution.ts";
import { statementRequest } from "./statement-request.ts";
import { releaseForgotten, releaseUnheard } from "./unheard-reservation.ts";

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
  const known = new KnownFields();
  const health = new PoolerHealth({ manager, closing, stalenessMs, clock: systemClock });
  return bindService(MultipoolerServiceDefinition, [
    unary(methods.executeQuery, (request, context) => executeQuery(options, request, context)),
    serverStream(methods.streamExecute, encodeResultMessage, (request, sink, context) =>
      streamResults(
        { ...options, known, sink, passthroughRow: request.options?.passthroughRow ?? false },
        statementRequest(request, context),
        context,
      ),
    ),
    // Its answers have the fields of those of StreamExecute.
    serverStream(methods.portalStreamExecute, encodeResultMessage, (request, sink, context) =>
      streamResults(
        { ...options, known, sink, passthroughRow: request.options?.passthroughRow ?? false },
        portalRequest(request, context),
        context,
      ),
    ),
    bidiStream(methods.copyBidiExecute, encodeCopyMessage, (requests, sink, context) =>
      copyBidiExecute(options, requests, sink, context),
    ),
    unary(methods.describe, (request, context) =>
      describeStatement(options.manager, request, context),
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
    bidiStream(
      methods.notificationStream,
      encodeNotificationStreamResponse,
      (requests, sink, context) => notificationStream(options, requests, sink, context),
    ),
    unary(methods.concludeTransaction, (request, context) =>
      concludeTransaction(options, request, context),
    ),
    unary(methods.discardTempTables, (request, context) =>
      discardTempTables(options, request, context),
    ),
    unary(methods.releaseReservedConnection, (request, context) =>
      releaseReservedConnection(options, request, context),
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
  const { reservation, failure } = await execute(
    (sink) => service.streamExecute(statement, sink, context),
    (event) => collected.take(event),
  );
  if (context.signal.aborted) {
    await releaseForgotten(service, statement, reservation);
  }
  if (failure !== undefined) {
    // One message cannot say both that the call failed and what is still reserved.
    if (statement.place.type !== "reserved") {
      await releaseUnheard(service, statement, reservation);
    }
    throw failure.error;
  }
  return { result: collected.result(), reservedState: reservedState(manager, reservation) };
}

async function streamResults(
  options: QueryServiceOptions & {
    readonly known: KnownFields;
    readonly sink: MessageSink<ResultMessage>;
    readonly passthroughRow: boolean;
  },
  request: ExecuteRequest,
  context: CallContext,
): Promise<void> {
  const { manager, known, sink, passthroughRow } = options;
  const results = new ResultStream({ sink, batcher: rowBatcher(options, passthroughRow), known });
  const service = manager.queryServiceControl().getExecutor();
  const { reservation, failure } = await execute(
    (events) => service.streamExecute(request, events, context),
    (event) => results.take(event),
  );
  await results.end(reservedState(manager, reservation));
  if (context.signal.aborted) {
    await releaseForgotten(service, request, reservation);
  }
  if (failure !== undefined) {
    throw failure.error;
  }
}

function rowBatcher(options: QueryServiceOptions, passthrough: boolean): RowBatcher {
  const batchBytes = options.batchBytes ?? MAX_ROW_BLOCK_BYTES;
  return passthrough
    ? new PassthroughBatcher(batchBytes)
    : new StructuredBatcher(batchBytes, new RowDecoder(options.maxMessageBytes));
}
