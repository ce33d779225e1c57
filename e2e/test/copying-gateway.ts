import { GrpcStatusError } from "@multipooler/grpc-services/client";
import type { CopyBidiExecuteInput, PoolerClient } from "@multipooler/grpc-services/client";

type CopyAnswer =
  ReturnType<PoolerClient["copyBidiExecute"]> extends AsyncIterable<infer Message>
    ? Message
    : never;

const READY = 0;
const DATA = 1;

/** What one COPY carried. */
export interface Copied {
  readonly ready: CopyAnswer | undefined;
  /** The RESULT or the ERROR. */
  readonly last: CopyAnswer | undefined;
  readonly rows: number;
  readonly bytes: number;
  readonly error: GrpcStatusError | undefined;
}

export interface CopyOptions {
  /** Called behind READY, before anything else is taken. */
  readonly onReady?: () => Promise<void>;
  /** Called for each DATA. */
  readonly onData?: (bytes: Uint8Array) => Promise<void> | undefined;
  readonly signal?: AbortSignal;
}

/** Copies as a gateway does: it sends data when the pooler is ready for them. */
export async function copied(
  client: PoolerClient,
  initiation: CopyBidiExecuteInput,
  inputs: AsyncIterable<CopyBidiExecuteInput> | readonly CopyBidiExecuteInput[] = [],
  { onReady, onData, signal }: CopyOptions = {},
): Promise<Copied> {
  const isReady = Promise.withResolvers<void>();
  async function* requests(): AsyncGenerator<CopyBidiExecuteInput, void, void> {
    yield { phase: 0, ...initiation };
    await isReady.promise;
    yield* inputs;
  }
  let [ready, last, error]: [
    CopyAnswer | undefined,
    CopyAnswer | undefined,
    GrpcStatusError | undefined,
  ] = [undefined, undefined, undefined];
  let rows = 0;
  let bytes = 0;
  try {
    for await (const answer of client.copyBidiExecute(requests(), { signal })) {
      if (answer.phase === READY) {
        ready = answer;
        await onReady?.();
        isReady.resolve();
      } else if (answer.phase === DATA) {
        rows += 1;
        bytes += answer.data.length;
        await onData?.(answer.data);
      } else {
        last = answer;
      }
    }
  } catch (thrown) {
    if (!(thrown instanceof GrpcStatusError)) {
      throw thrown;
    }
    error = thrown;
  } finally {
    isReady.resolve();
  }
  return { ready, last, rows, bytes, error };
}
