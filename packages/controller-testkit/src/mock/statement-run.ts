import { PoolerErrorCode } from "@multipooler/query-service";
import type { ExecuteRequest, ResultEvent, ResultSink } from "@multipooler/query-service";
import { orAborted } from "./abort-race.ts";
import type { GateEntry } from "./mock-gate.ts";
import { MockControllerError, abortError, mockError } from "./mock-controller-error.ts";
import type { MockScript } from "./mock-script.ts";

/** A request that leaves nothing behind, while it runs. */
export class SingleRun implements GateEntry {
  readonly #abort = new AbortController();

  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  cut(reason: MockControllerError): void {
    this.#abort.abort(reason);
  }
}

/** Writes the answer of the script to the sink, until one of the signals aborts. */
export async function runStatement(
  script: MockScript,
  request: ExecuteRequest,
  { sink, signals }: { readonly sink: ResultSink; readonly signals: readonly AbortSignal[] },
): Promise<void> {
  const signal = AbortSignal.any([...signals]);
  try {
    const answer = Promise.try(() => script.answer(request, signal));
    await writeAll(sink, await orAborted(answer, signal), signal);
  } catch (error) {
    throw mockError(error);
  }
}

/** Rejects with CANCELLED when the sink fails; it is not called again then. */
export async function writeAll(
  sink: ResultSink,
  events: Iterable<ResultEvent>,
  signal: AbortSignal | undefined,
): Promise<void> {
  for (const event of events) {
    requireAwaited(signal);
    try {
      const pending = sink.write(event);
      if (pending !== undefined) {
        await orAborted(pending, signal);
      }
    } catch (cause) {
      requireAwaited(signal);
      throw new MockControllerError(PoolerErrorCode.Cancelled, "the sink failed", { cause });
    }
  }
}

function requireAwaited(signal: AbortSignal | undefined): void {
  if (signal?.aborted === true) {
    throw abortError(signal);
  }
}
