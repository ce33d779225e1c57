import { CopyQuery } from "@multipooler/pgwire";
import type { AnswerEvent, CopyConnection, CopyReceiver } from "@multipooler/pgwire";
import { PoolerErrorCode, ReservationReason } from "@multipooler/query-service";
import { MultiPoolerError } from "../error.ts";
import { queryError } from "../postgres-error.ts";
import type { HeldEnd } from "../reservations/held-run.ts";
import type { ReservedBackend } from "../reservations/reserved-backend.ts";
import { runBegin } from "../reservations/statement-run.ts";
import type { JudgedStatement, StatementEnd } from "../reservations/statement-run.ts";
import type { CopyCall } from "./copy-call.ts";
import { CopyFeed } from "./copy-feed.ts";

/**
 * Runs a COPY on a reserved backend, in a transaction that is begun before if it has one. `Copy` is a
 * reason of the reservation from the answer of the server to the end.
 */
export async function runCopy(
  reserved: ReservedBackend,
  { classification, begin }: JudgedStatement,
  call: CopyCall,
): Promise<StatementEnd> {
  reserved.taint(classification.taint);
  if (begin !== undefined) {
    reserved.taint(begin.classification.taint);
    const begun = await runBegin(reserved, begin.sql, {
      sink: { write: (event) => (event.type === "notice" ? call.sink.write(event) : undefined) },
      signal: call.signal,
    });
    if (begun.fate !== "done") {
      return { end: begun, hasBegun: false };
    }
    reserved.transactionBegan();
  }
  try {
    return { end: await runQuery(reserved, call), hasBegun: begin !== undefined };
  } finally {
    reserved.reasons.remove(ReservationReason.Copy);
  }
}

async function runQuery(reserved: ReservedBackend, call: CopyCall): Promise<HeldEnd> {
  const feed = call.way === "in" ? new CopyFeed(call.source) : undefined;
  let query: CopyQuery | undefined;
  const end = await reserved.run(
    (receiver, { backend }) => {
      query = copyQuery(call, receiver, backend);
      return query;
    },
    {
      signal: call.signal,
      // While it waits for data, a server does not heed that it is to cancel.
      onInterrupt: () => query?.fail("the COPY was interrupted"),
      sink: {
        write: (event: AnswerEvent) => {
          if (event.type !== "copyStart") {
            return writeTo(call, event, reserved);
          }
          reserved.reasons.add(ReservationReason.Copy, []);
          const behind = writeTo(call, event, reserved);
          if (query !== undefined) {
            void feed?.run(query);
          }
          return behind;
        },
      },
    },
  );
  const failure = feed?.failure;
  return failure !== undefined && end.fate === "failed"
    ? { ...end, error: sourceError(failure.cause) }
    : end;
}

/** @throws INVALID_ARGUMENT for a NUL character */
function copyQuery(
  { request, way }: CopyCall,
  receiver: CopyReceiver,
  connection: CopyConnection,
): CopyQuery {
  try {
    return new CopyQuery({ sql: request.sql, way, receiver, connection });
  } catch (error) {
    throw queryError(error);
  }
}

function writeTo(
  { sink }: CopyCall,
  event: AnswerEvent,
  { reservation }: ReservedBackend,
): Promise<void> | undefined {
  switch (event.type) {
    case "copyStart":
      return sink.write({ type: "started", bytes: event.bytes, reservation });
    case "copyData":
      return sink.write({ type: "data", bytes: event.bytes, inProgress: event.inProgress });
    case "complete":
    case "notice":
    case "parameterStatus":
      return sink.write(event);
    // No COPY yields these.
    case "fields":
    case "rows":
    case "suspended":
    case "empty":
      return undefined;
  }
}

function sourceError(cause: unknown): MultiPoolerError {
  const message = "the source of the data failed";
  return new MultiPoolerError(PoolerErrorCode.Cancelled, message, { cause });
}
