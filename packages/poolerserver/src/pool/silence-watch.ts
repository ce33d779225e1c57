import { Deadline, untilAborted } from "@multipooler/timing";
import type { Clock, Timer } from "@multipooler/timing";
import type { Backend } from "./backend.ts";

/** How often sessions in use are looked at. */
const LOOK_MS = 500;
/** A statement of which nothing was heard for so long is asked about. */
const SILENCE_MS = 2000;
/** How long the answer may take. */
const ASK_TIMEOUT_MS = 2000;
/** The server must have finished for so long: its answer would have arrived. */
const FINISHED_MS = 1000;
/** A long request gets time to be written: the server sees it when it is complete. */
const BYTES_PER_MS = 256;

/** What the server tells about one of its processes. */
export interface ProcessActivity {
  readonly processId: number;
  /** How long it has been waiting for its client's next request; `undefined`: it is busy, or unknown. */
  readonly idleMs: number | undefined;
}

/** By what a process is found again. */
export type SessionProcess = Pick<Backend, "processId" | "parameters">;

/** The server's view of its processes, over another way than theirs. Both reject if it cannot be asked. */
export interface ServerProcesses {
  /** What they do; those that are gone are not in the answer. */
  activities(
    processIds: readonly number[],
    signal: AbortSignal,
  ): Promise<readonly ProcessActivity[]>;
  /** Ends the process of a session that waits for its client, and leaves it alone if it is busy. */
  endIdle(session: SessionProcess, signal: AbortSignal): Promise<void>;
}

export interface SilenceWatchOptions {
  readonly clock: Clock;
  readonly processes: ServerProcesses;
  /** The sessions that somebody uses. */
  readonly busySessions: () => Iterable<Backend>;
  /** The network swallows what `session` and the server send each other. */
  readonly onSilent: (session: Backend, problem: string) => void;
  /** The server works on what a silent session asked for. */
  readonly onAlive: () => void;
}

interface Sample {
  readonly bytes: number;
  readonly since: number;
}

/**
 * Finds sessions in use whose network carries nothing any more. TCP alone gives up on them after
 * many minutes. So a session that has something in flight and has been silent for 2 s is asked
 * about over another way: where its process is gone, or has waited for the next request for a
 * second, the request or the answer got lost. A process that is busy may take as long as it likes.
 */
export class SilenceWatch {
  readonly #options: SilenceWatchOptions;
  readonly #stop = new AbortController();
  #samples = new Map<Backend, Sample>();
  #timer: Timer | undefined;
  #isAsking = false;

  constructor(options: SilenceWatchOptions) {
    this.#options = options;
  }

  /** Somebody uses a session: looks from now on, until nobody does. */
  start(): void {
    if (this.#timer === undefined && !this.#stop.signal.aborted) {
      this.#timer = this.#options.clock.setTimer(() => this.#look(), LOOK_MS);
    }
  }

  /**
   * Has the server end the process of a session that was cut: over a silent network it would not
   * learn of that for hours, and hold the locks of an open transaction. Never rejects.
   */
  async endProcess(session: SessionProcess): Promise<void> {
    using deadline = this.#deadline("ending the process of a silent session");
    const ended = this.#options.processes.endIdle(session, deadline.signal);
    await untilAborted(ended, deadline.signal).catch(() => undefined);
  }

  close(): void {
    this.#stop.abort();
    this.#timer?.cancel();
  }

  #look(): void {
    this.#timer = undefined;
    const now = this.#options.clock.monotonic();
    const samples = new Map<Backend, Sample>();
    const silent: Backend[] = [];
    let isAnyBusy = false;
    for (const session of this.#options.busySessions()) {
      isAnyBusy = true;
      const before = this.#samples.get(session);
      const bytes = session.bytesReceived;
      if (before !== undefined && before.bytes !== bytes) {
        this.#options.onAlive();
      }
      const isStill = before?.bytes === bytes && session.isAwaitingServer;
      const sample = isStill ? before : { bytes, since: now };
      samples.set(session, sample);
      if (session.isAwaitingServer && now - sample.since >= patienceMs(session)) {
        silent.push(session);
      }
    }
    this.#samples = samples;
    if (isAnyBusy) {
      this.start();
    }
    if (silent.length > 0 && !this.#isAsking) {
      void this.#ask(silent);
    }
  }

  async #ask(silent: readonly Backend[]): Promise<void> {
    const { processes } = this.#options;
    this.#isAsking = true;
    using deadline = this.#deadline("asking about silent sessions");
    try {
      const processIds = silent.map(({ processId }) => processId);
      const activities = await untilAborted(
        processes.activities(processIds, deadline.signal),
        deadline.signal,
      );
      this.#judge(silent, activities);
    } catch {
      // A server that cannot be asked is the manager's to notice; the next look asks again.
    } finally {
      this.#isAsking = false;
    }
  }

  #deadline(what: string): Deadline {
    const { clock } = this.#options;
    return new Deadline({ clock, ms: ASK_TIMEOUT_MS, what, signal: this.#stop.signal });
  }

  #judge(silent: readonly Backend[], activities: readonly ProcessActivity[]): void {
    const { onSilent, onAlive } = this.#options;
    for (const session of silent) {
      const isHeard = session.bytesReceived !== this.#samples.get(session)?.bytes;
      if (isHeard || !session.isAwaitingServer) {
        continue;
      }
      const activity = activities.find(({ processId }) => processId === session.processId);
      if (activity === undefined) {
        onSilent(session, "its server process is gone");
      } else if (activity.idleMs !== undefined && activity.idleMs >= FINISHED_MS) {
        onSilent(session, "its server process has nothing to do");
      } else {
        onAlive();
      }
    }
  }
}

function patienceMs({ running }: Backend): number {
  return SILENCE_MS + Math.floor((running?.byteLength ?? 0) / BYTES_PER_MS);
}
