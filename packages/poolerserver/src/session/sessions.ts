import { PoolerErrorCode } from "@multipooler/query-service";
import type { CallOptions, Session, SessionCaller, SessionClient } from "@multipooler/query-service";
import { onAbort } from "@multipooler/timing";
import { MultiPoolerError, abortError } from "../error.ts";
import type { ServedTarget } from "../execution/request-checks.ts";
import type { Lease } from "../pool/lease.ts";
import type { Unit } from "../pool/unit.ts";
import { LargeResults } from "./large-results.ts";
import type { StatementClassifier } from "./large-results.ts";
import { PoolerSession } from "./pooler-session.ts";
import type { SessionEngine, SessionLimits } from "./pooler-session.ts";
import { startupQuery } from "./startup-settings.ts";

const DEFAULT_LIMITS: SessionLimits = { inputBytes: 262_144, heldBytes: 1_048_576 };

export interface SessionsOptions extends Omit<SessionEngine, "classifier" | "limits"> {
  readonly served: ServedTarget;
  readonly classifier: StatementClassifier;
  readonly limits?: SessionLimits | undefined;
}

/** The sessions of an open controller. */
export class Sessions {
  readonly #served: ServedTarget;
  readonly #engine: SessionEngine;
  readonly #sessions = new Set<PoolerSession>();
  /** What a backend has reported. */
  #parameters: ReadonlyMap<string, string> | undefined;
  #isClosed = false;

  constructor({ served, classifier, limits, ...engine }: SessionsOptions) {
    this.#served = served;
    this.#engine = {
      ...engine,
      classifier: new LargeResults(classifier),
      limits: limits ?? DEFAULT_LIMITS,
    };
  }

  /** How many there are, those included that are being ended. */
  get size(): number {
    return this.#sessions.size;
  }

  /** See `QueryService.openSession`. */
  async open(
    caller: SessionCaller,
    client: SessionClient,
    { signal }: CallOptions = {},
  ): Promise<Session> {
    requireServed(caller, this.#served);
    this.#requireOpen();
    this.#parameters ??= await this.#readParameters(caller.origin, signal);
    const session = new PoolerSession({
      engine: this.#engine,
      caller,
      client,
      parameters: this.#parameters,
      onGone: (gone) => this.#sessions.delete(gone),
    });
    // It may have been closed meanwhile.
    this.#requireOpen();
    this.#sessions.add(session);
    const query = startupQuery(caller.settings, this.#parameters);
    if (query !== undefined) {
      await this.#prepare(session, query, signal);
    }
    return session;
  }

  /** Ends all of them: at their transaction boundary, or at once when the signal aborts. */
  async close({ signal }: CallOptions = {}): Promise<void> {
    this.#isClosed = true;
    const ends = [...this.#sessions].map((session) => session.end("boundary"));
    const stopListening = onAbort(signal, () => {
      for (const session of this.#sessions) {
        void session.end("now");
      }
    });
    await Promise.all(ends);
    stopListening();
  }

  #requireOpen(): void {
    if (this.#isClosed) {
      throw new MultiPoolerError(PoolerErrorCode.NotOpen, "the controller is not open");
    }
    this.#engine.gate.requireServing();
  }
}
