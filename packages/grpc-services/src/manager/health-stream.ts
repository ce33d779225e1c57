import { ManagerHealthStreamResponse, SnapshotTrigger } from "@multipooler/proto/manager-v1";
import type {
  ManagerHealthSnapshot,
  ManagerHealthStreamRequest,
} from "@multipooler/proto/manager-v1";
import { onAbort, untilAborted } from "@multipooler/timing";
import type { Clock, Timer } from "@multipooler/timing";
import { Wakeup } from "../health/wakeup.ts";
import type { PoolerManager } from "../server/pooler-manager.ts";
import type { CallContext, MessageSink, MessageSource } from "../server/rpc.ts";
import { durationMessage } from "./duration-message.ts";
import { streamTimes } from "./health-stream-times.ts";
import { statusMessage } from "./manager-status-message.ts";

export interface HealthStreamOptions {
  readonly manager: Pick<PoolerManager, "status" | "watchStatus">;
  /** The version of the program. */
  readonly version: string;
  /** Aborts when the server begins to close; every stream ends then. */
  readonly closing: AbortSignal;
  readonly clock: Clock;
}

/**
 * Answers ManagerHealthStream: the times that hold, then the status at once, at each change, at each
 * poll, and at an interval. A status is taken when the reader has room for it: a slow reader has one
 * message waiting, and gets fewer of them. A caller that has sent its last request is sent to on.
 *
 * Rejects with INVALID_ARGUMENT where the first request is none that starts a stream.
 */
export async function managerHealthStream(
  options: HealthStreamOptions,
  requests: MessageSource<ManagerHealthStreamRequest>,
  sink: MessageSink<ManagerHealthStreamResponse>,
  { signal }: CallContext,
): Promise<void> {
  const { manager, closing, clock } = options;
  const due = new DueSnapshot(clock);
  const stops = [signal, closing].map((end) => onAbort(end, due.wake));
  try {
    const times = streamTimes(await untilAborted(requests.next(), closing));
    const timeout = durationMessage(times.stalenessMs);
    const start = {
      snapshotInterval: durationMessage(times.intervalMs),
      stalenessTimeout: timeout,
    };
    // What a slow reader does not take must not hold up the server's end.
    await untilAborted(written(sink, { $case: "start", value: start }), closing);
    stops.push(manager.watchStatus(() => due.add(SnapshotTrigger.SNAPSHOT_TRIGGER_BROADCAST)));
    void forwardPolls(requests, due);
    due.add(SnapshotTrigger.SNAPSHOT_TRIGGER_INITIAL);
    while (!signal.aborted && !closing.aborted) {
      const trigger = due.take(times.intervalMs);
      await (trigger === undefined
        ? due.wait()
        : untilAborted(written(sink, snapshot(options, { trigger, timeout })), closing));
    }
  } catch (error) {
    if (!closing.aborted) {
      throw error;
    }
  } finally {
    due.close();
    for (const stop of stops) {
      stop();
    }
  }
}

function snapshot(
  { manager, version, clock }: HealthStreamOptions,
  why: Pick<ManagerHealthSnapshot, "trigger" | "timeout">,
): ManagerHealthStreamResponse["message"] {
  const capturedAt = new Date(clock.now());
  const status = statusMessage(manager.status(), version);
  return { $case: "snapshot", value: { ...why, status, capturedAt } };
}

/** The encoding of what {@link managerHealthStream} writes. */
export function encodeHealthStreamResponse(message: ManagerHealthStreamResponse): Uint8Array {
  return ManagerHealthStreamResponse.encode(message).finish();
}

async function written(
  sink: MessageSink<ManagerHealthStreamResponse>,
  message: ManagerHealthStreamResponse["message"],
): Promise<void> {
  await sink.write({ message });
}

/** Has each poll answered until the client has sent its last request. Never rejects. */
async function forwardPolls(
  requests: MessageSource<ManagerHealthStreamRequest>,
  due: DueSnapshot,
): Promise<void> {
  try {
    for (;;) {
      const request = await requests.next();
      if (request === undefined) {
        return;
      }
      if (request.message?.$case === "poll") {
        due.add(SnapshotTrigger.SNAPSHOT_TRIGGER_POLL);
      }
    }
  } catch (error) {
    due.fail(error);
  }
}

/** Whether a snapshot is to be sent, and why. */
class DueSnapshot extends Wakeup {
  readonly #clock: Clock;
  #trigger: SnapshotTrigger | undefined;
  #failure: { readonly cause: unknown } | undefined;
  #timer: Timer | undefined;

  constructor(clock: Clock) {
    super();
    this.#clock = clock;
  }

  /** One is due. Where one is already, the first reason stays. */
  add(trigger: SnapshotTrigger): void {
    this.#trigger ??= trigger;
    this.wake();
  }

  /** Has {@link take} throw. */
  fail(cause: unknown): void {
    this.#failure = { cause };
    this.wake();
  }

  /** Why one is due; `undefined`: none is. The next one is due after the interval at the latest. */
  take(intervalMs: number): SnapshotTrigger | undefined {
    if (this.#failure !== undefined) {
      throw this.#failure.cause;
    }
    const trigger = this.#trigger;
    if (trigger !== undefined) {
      this.#trigger = undefined;
      this.#timer?.cancel();
      this.#timer = this.#clock.setTimer(
        () => this.add(SnapshotTrigger.SNAPSHOT_TRIGGER_HEARTBEAT),
        intervalMs,
      );
    }
    return trigger;
  }

  /** Leaves no timer. */
  close(): void {
    this.#timer?.cancel();
  }
}
