import type { CopyEvent, CopyRequest } from "@multipooler/query-service";
import { CopyBidiExecuteRequest_Direction as Direction } from "@multipooler/proto/multipoolerservice";
import type { CopyBidiExecuteRequest } from "@multipooler/proto/multipoolerservice";
import { GrpcServicesError, GrpcServicesErrorCode } from "../../errors/error.ts";
import type { PoolerManager } from "../../server/pooler-manager.ts";
import type { CallContext, MessageSink, MessageSource } from "../../server/rpc.ts";
import type { CopyMessage } from "./copy-message.ts";
import { CopyRequests, initiation } from "./copy-requests.ts";
import { CopyStream } from "./copy-stream.ts";
import { requestOrigin } from "../request-origin.ts";
import { requestPlace } from "../request-place.ts";
import { reservedState } from "../reserved-state.ts";
import { execute } from "../statement-execution.ts";
import { releaseUnheard } from "../unheard-reservation.ts";

export interface CopyVerbOptions {
  readonly manager: Pick<PoolerManager, "queryServiceControl" | "status">;
  readonly maxMessageBytes: number;
}

/**
 * Answers CopyBidiExecute: READY, then DATA each way, then RESULT; or ERROR at any point, after which
 * the call fails. What a client sends behind its DONE is not read.
 *
 * Where the call was cut, nothing of its reservation stays: a gateway that has not heard the end of a
 * COPY takes its connection for lost, and would neither use it nor give it up.
 */
export async function copyBidiExecute(
  options: CopyVerbOptions,
  requests: MessageSource<CopyBidiExecuteRequest>,
  sink: MessageSink<CopyMessage>,
  context: CallContext,
): Promise<void> {
  const { manager, maxMessageBytes } = options;
  const first = await initiation(requests);
  const way = wayOf(first.direction);
  const request: CopyRequest = {
    ...requestOrigin(first, context),
    place: requestPlace(first),
    sql: first.query,
  };
  const source = new CopyRequests(requests);
  const stream = new CopyStream({
    sink,
    way,
    maxMessageBytes,
    stateOf: (reservation) => reservedState(manager, reservation),
  });
  const service = manager.queryServiceControl().getExecutor();
  const { reservation, failure } = await execute(
    (events) =>
      way === "in"
        ? service.copyIn(request, source, events, context)
        : service.copyOut(request, events, context),
    (event: CopyEvent) => stream.take(event),
  );
  if (failure === undefined) {
    await stream.succeed(reservation);
    return;
  }
  const error = source.failure ?? failure.error;
  if (!context.signal.aborted) {
    await stream.fail(error, reservation);
  } else {
    await releaseUnheard(service, request, reservation);
  }
  throw error;
}

function wayOf(direction: Direction): "in" | "out" {
  switch (direction) {
    case Direction.FROM_STDIN:
      return "in";
    case Direction.TO_STDOUT:
      return "out";
    // An enum of proto3 is open: any number may arrive.
    case Direction.UNRECOGNIZED:
    default:
      throw new GrpcServicesError(
        GrpcServicesErrorCode.InvalidArgument,
        `direction ${String(direction)} is neither FROM_STDIN nor TO_STDOUT`,
      );
  }
}
