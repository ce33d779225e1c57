import type { Clock } from "@multipooler/timing";
import type { MultiPoolerError } from "../error.ts";
import type { Logger } from "../logger.ts";
import { lostError } from "../postgres-error.ts";
import type { Backend, BackendEnd } from "./backend.ts";
import type { Member } from "./member.ts";
import { SilenceWatch } from "./silence-watch.ts";
import type { ServerProcesses } from "./silence-watch.ts";
import { Verification } from "./verification.ts";

export interface VigilanceOptions {
  readonly clock: Clock;
  readonly processes: ServerProcesses;
  readonly suspect: (cause: MultiPoolerError) => void;
  readonly logger: Logger;
  /** The sessions that somebody uses. */
  readonly busySessions: () => Iterable<Backend>;
  /** Takes out the idle sessions. */
  readonly takeIdle: () => Member[];
  /** A session has answered, or it has ended. */
  readonly onVerified: (member: Member) => void;
}

/** Finds out which sessions of a pool the network still carries something for. */
export class Vigilance {
  readonly #options: VigilanceOptions;
  readonly #watch: SilenceWatch;
  readonly #verification: Verification;
  #aliveAt = Number.NEGATIVE_INFINITY;

  constructor(options: VigilanceOptions) {
    const { clock, processes, busySessions, onVerified } = options;
    this.#options = options;
    this.#verification = new Verification({
      clock,
      onSilent: ({ backend }, problem) => this.#onSilent(backend, problem),
      onEnd: onVerified,
    });
    this.#watch = new SilenceWatch({
      clock,
      processes,
      busySessions,
      onSilent: (session, problem) => this.#onSilent(session, problem),
      onAlive: () => this.noteAlive(clock.monotonic()),
    });
  }

  /** When the server last showed that it works on what the pool sends; on the monotonic clock. */
  get aliveAt(): number {
    return this.#aliveAt;
  }

  /** Sessions that somebody waits for until they have answered. */
  get awaited(): number {
    return this.#verification.awaited;
  }

  noteAlive(now: number): void {
    this.#aliveAt = now;
  }

  /** Somebody uses a session. */
  watch(): void {
    this.#watch.start();
  }

  /** Makes a session answer before somebody gets it. */
  verify(member: Member, wait: { readonly isAwaited: boolean }): void {
    this.#watch.start();
    this.#verification.start(member, wait);
  }

  /** A session has ended. */
  noteEnd(end: BackendEnd): void {
    if (end.type === "lost") {
      this.#options.logger.info({ err: end.error }, "connection to the database lost");
      this.#distrust(lostError(end.error.message, end.error));
    }
  }

  close(): void {
    this.#watch.close();
  }

  /** The network carries nothing for this session, so perhaps not for the others either. */
  #onSilent(session: Backend, problem: string): void {
    const error = lostError(`the connection to the database is silent: ${problem}`);
    this.#options.logger.warn({ processId: session.processId, err: error }, "connection cut");
    this.#distrust(error);
    session.destroy(error);
    void this.#watch.endProcess(session);
  }

  /** Every idle session has to answer now, but nobody waits for those: others are opened. */
  #distrust(cause: MultiPoolerError): void {
    for (const member of this.#options.takeIdle()) {
      this.verify(member, { isAwaited: false });
    }
    this.#options.suspect(cause);
  }
}
