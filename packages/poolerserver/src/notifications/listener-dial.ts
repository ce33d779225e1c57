import type { ConnectionSlot } from "@multipooler/controller-api";
import { PoolerErrorCode } from "@multipooler/query-service";
import { Backoff, sleep } from "@multipooler/timing";
import type { Clock } from "@multipooler/timing";
import { MultiPoolerError, abortError, poolerError } from "../error.ts";
import type { Backend, OpenBackend } from "../pool/backend.ts";
import { takePlace } from "../pool/single-place.ts";
import type { SingleShare } from "../pool/user-pools.ts";

const MIN_DELAY_MS = 100;
/** The delay between two attempts grows by up to this. */
const MAX_DELAY_MS = 2000;

export interface ListenerDialOptions {
  readonly openBackend: OpenBackend;
  /** `undefined`: statements would have no connection left. */
  readonly openShare: () => SingleShare | undefined;
  readonly clock: Clock;
  readonly random: () => number;
  /** Something keeps it from a connection for now; it goes on trying. */
  readonly onObstacle: (error: MultiPoolerError) => void;
}

/** A session, and the place in the budget that it holds until `release`. */
export interface OpenedListener {
  readonly backend: Backend;
  readonly release: () => void;
}

/**
 * Opens a session to listen in, and goes on trying with growing delays while what is in the way
 * may pass: a server that is down, or full, or a budget without a free place. Rejects with what
 * would not change, or when the signal aborts, and leaves nothing behind then.
 */
export async function dialListener(
  options: ListenerDialOptions,
  signal: AbortSignal,
): Promise<OpenedListener> {
  const { clock, random } = options;
  const backoff = new Backoff({ minMs: MIN_DELAY_MS, maxMs: MAX_DELAY_MS, random });
  for (;;) {
    const single = options.openShare();
    if (single === undefined) {
      options.onObstacle(noRoomError());
    } else {
      const opened = await attempt(options, single, signal);
      if (opened !== undefined) {
        return opened;
      }
    }
    await sleep(clock, MIN_DELAY_MS + backoff.nextMs(), signal);
    if (signal.aborted) {
      throw abortError(signal);
    }
  }
}

/** `undefined`: it failed, and may be tried again. */
async function attempt(
  { openBackend, onObstacle }: ListenerDialOptions,
  single: SingleShare,
  signal: AbortSignal,
): Promise<OpenedListener | undefined> {
  let slot: ConnectionSlot | undefined;
  const release = (): void => {
    slot?.release();
    single.end();
  };
  try {
    slot = await takePlace(single.share, {
      signal,
      onWait: () => onObstacle(noRoomError()),
    });
    if (signal.aborted) {
      throw abortError(signal);
    }
    const backend = await openBackend("read-write", { signal });
    return { backend, release };
  } catch (cause) {
    release();
    const error = poolerError(cause);
    if (signal.aborted || error.code !== PoolerErrorCode.PreExecutionUnavailable) {
      throw error;
    }
    onObstacle(error);
    return undefined;
  }
}

/** The budget has no connection for it. */
export function noRoomError(): MultiPoolerError {
  return new MultiPoolerError(
    PoolerErrorCode.PoolExhausted,
    "listening needs a connection of its own, and statements have all that the pooler may open; " +
      "raise its capacity, or the connections of the server",
  );
}
