import { LocalPostgres } from "@multipooler/pgctld";
import type { LaunchedServer, LocalPostgresOptions } from "@multipooler/pgctld";

/** A PostgreSQL, and which of its processes this `npm start` stops in the end. */
export class Server implements AsyncDisposable {
  readonly postgres: LocalPostgres;
  readonly #port: number;
  #takenOver: number | undefined;

  constructor(options: LocalPostgresOptions) {
    this.postgres = new LocalPostgres(options);
    this.#port = options.port;
    process.on("exit", this.#stopAtExit);
  }

  /** The PID of the main process that is stopped in the end; `undefined`: there is none. */
  get pid(): number | undefined {
    return this.#launched?.pid ?? this.#takenOver;
  }

  /** Starts PostgreSQL, or waits for one that runs. `takeOver`: nobody else is left to stop that one. */
  async start({
    takeOver,
    signal,
  }: {
    readonly takeOver: boolean;
    readonly signal: AbortSignal;
  }): Promise<void> {
    const { pid, alreadyRunning } = await this.postgres.start({}, { signal });
    if (!alreadyRunning || !takeOver) {
      return;
    }
    this.#takenOver = pid;
    if ((await this.postgres.status()).port !== this.#port) {
      await this.postgres.restart({}, { signal });
    }
  }

  /** Stops it, unless another `npm start` has brought up the next one in the meantime. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.pid !== undefined) {
      await this.postgres.stop({ pid: this.pid });
    }
    process.off("exit", this.#stopAtExit);
  }

  get #launched(): LaunchedServer | undefined {
    return this.postgres.launched;
  }

  /** For somebody who does not wait for the end in good order. */
  readonly #stopAtExit = (): void => {
    this.#launched?.kill("SIGINT");
  };
}
