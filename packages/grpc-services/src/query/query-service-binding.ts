import { MAX_ROW_BLOCK_BYTES } from "@multipooler/query-service";
import { MultipoolerServiceDefinition } from "@multipooler/proto/multipoolerservice";
import type {
  ExecuteQueryRequest,
  ExecuteQueryResponse,
  StreamExecuteRequest,
} from "@multipooler/proto/multipoolerservice";
import { CollectedResult } from "./collected-result.ts";
import type { PoolerManager } from "../server/pooler-manager.ts";
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
  readonly manager: Pick<PoolerManager, "queryServiceControl">;
  /** The largest message that a client takes. */
  readonly maxMessageBytes: number;
  /** From how many bytes on rows are sent. Default {@link MAX_ROW_BLOCK_BYTES}. */
  readonly batchBytes?: number | undefined;
}

/** `multipoolerservice.MultipoolerService`, served by the manager's controller. */
export function bindQueryService(options: QueryServiceOptions): BoundService {
  const { methods } = MultipoolerServiceDefinition;
  return bindService(MultipoolerServiceDefinition, [
    unary(methods.executeQuery, (request, context) => executeQuery(options, request, context)),
    serverStream(methods.streamExecute, encodeResultMessage, (request, sink, context) =>
      streamExecute({ ...options, sink }, request, context),
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
  await executeStatement(service, statement, (event) => collected.take(event), context);
  return { result: collected.result(), reservedState: undefined };
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
  try {
    await executeStatement(service, statement, (event) => results.take(event), context);
  } finally {
    // What the database sent before an error reaches the client before the error does.
    await results.flush();
  }
}

function rowBatcher(options: QueryServiceOptions, passthrough: boolean): RowBatcher {
  const batchBytes = options.batchBytes ?? MAX_ROW_BLOCK_BYTES;
  return passthrough
    ? new PassthroughBatcher(batchBytes)
    : new StructuredBatcher(batchBytes, new RowDecoder(options.maxMessageBytes));
}
