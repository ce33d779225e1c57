import type {
  PostgresControl,
  PostgresStatus,
  StartResult,
  StopResult,
} from "../src/postgres-control.ts";
import type { RewindResult } from "../src/rewind/rewind.ts";
import type { RestoreCommandStop } from "../src/server/restore-command.ts";

/** A control that answers what the test says, and remembers what it was asked. */
export class FakeControl implements PostgresControl {
  readonly calls: [verb: string, request: unknown][] = [];
  /** What the next calls reject with. */
  failure: unknown;
  /** What the next calls wait for. */
  held: Promise<void> | undefined;
  signal: AbortSignal | undefined;
  answers: {
    status: PostgresStatus;
    started: StartResult;
    stopped: StopResult;
    rewound: RewindResult;
    restore: RestoreCommandStop;
    alreadyInitialized: boolean;
  };

  constructor(status: PostgresStatus) {
    this.answers = {
      status,
      started: { pid: 4711, alreadyRunning: false, recovered: false },
      stopped: "fast",
      rewound: { diverged: true, output: "in words of another language" },
      restore: { found: true, killed: true },
      alreadyInitialized: false,
    };
  }

  status(options?: Options): Promise<PostgresStatus> {
    return this.#answer("status", undefined, options, this.answers.status);
  }

  initialize(request?: unknown, options?: Options): Promise<{ alreadyInitialized: boolean }> {
    const { alreadyInitialized } = this.answers;
    return this.#answer("initialize", request, options, { alreadyInitialized });
  }

  start(request?: unknown, options?: Options): Promise<StartResult> {
    return this.#answer("start", request, options, this.answers.started);
  }

  stop(request?: unknown, options?: Options): Promise<StopResult> {
    return this.#answer("stop", request, options, this.answers.stopped);
  }

  restart(request?: unknown, options?: Options): Promise<StartResult> {
    return this.#answer("restart", request, options, this.answers.started);
  }

  async reload(options?: Options): Promise<void> {
    await this.#answer("reload", undefined, options, undefined);
  }

  rewind(request: unknown, options?: Options): Promise<RewindResult> {
    return this.#answer("rewind", request, options, this.answers.rewound);
  }

  stopRestoreCommand(options?: Options): Promise<RestoreCommandStop> {
    return this.#answer("stopRestoreCommand", undefined, options, this.answers.restore);
  }

  async #answer<T>(
    verb: string,
    request: unknown,
    options: Options | undefined,
    answer: T,
  ): Promise<T> {
    this.calls.push([verb, request]);
    this.signal = options?.signal;
    await this.held;
    if (this.failure !== undefined) {
      throw this.failure;
    }
    return answer;
  }
}

interface Options {
  readonly signal?: AbortSignal | undefined;
}
