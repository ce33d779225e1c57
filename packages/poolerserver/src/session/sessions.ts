import { PoolerErrorCode, QueryMode } from "@multipooler/query-service";
import type {
  CallOptions,
  Session,
  SessionCaller,
  SessionClient,
} from "@multipooler/query-service";
import type { StatementClassifier } from "../classification/classification.ts";
import { Taint } from "../classification/taint.ts";
import { MultiPoolerError, errorDiagnostic } from "../error.ts";
import { notOffered, requireIdentity } from "../execution/request-checks.ts";
import type { ServedTarget } from "../execution/request-checks.ts";
import { borrowBackend } from "../pool/borrowing.ts";
import type { BackendWish } from "../pool/borrowing.ts";
import type { Lease } from "../pool/lease.ts";
import { LargeResults } from "./large-results.ts";
import { PoolerSession } from "./pooler-session.ts";
import type { PoolerSessionOptions } from "./pooler-session.ts";
import type { SessionEngine, SessionLimits } from "./session-engine.ts";
import { StartupSettings, missingSettings, readOnlyEscapeOf, setOn } from "./startup-settings.ts";

const NOT_OFFERED = new Set(["options", "replication"]);
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
    this.#requireReadOnly(caller);
    const { scheduler } = this.#engine;
    const wish: BackendWish = { scheduler, origin: caller.origin, signal };
    const parameters = scheduler.parameters ?? (await readParameters(wish));
    const settings = missingSettings(caller.settings, parameters);
    const held = settings.size === 0 ? undefined : await leaseWithSettings(wish, settings);
    try {
      // It may have been closed, or serve read-only, meanwhile.
      this.#requireOpen();
      this.#requireReadOnly(caller);
      const reported = held?.settings.reported ?? parameters;
      return this.#add({ caller, client, parameters: reported }, held);
    } catch (error) {
      await held?.lease.release();
      throw error;
    }
  }

  /** Ends all of them, and opens none any more. Idempotent. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await this.endAll();
  }

  /** Ends those that there are: what runs is cancelled, and each client is told. */
  async endAll(): Promise<void> {
    await Promise.all(
      [...this.#sessions].map(async (session) => {
        // The last word, where there is no transaction that it would have to wait for.
        void session.end("boundary");
        await session.end("now");
      }),
    );
  }

  #add(client: ClientOfSession, held: HeldLease | undefined): PoolerSession {
    const session = new PoolerSession({
      ...client,
      engine: this.#engine,
      onGone: (gone) => this.#sessions.delete(gone),
    });
    if (held !== undefined) {
      session.adopt(held.lease, held.settings);
    }
    this.#sessions.add(session);
    return session;
  }

  /** @throws READ_ONLY */
  #requireReadOnly({ settings }: SessionCaller): void {
    const refusal = this.#engine.gate.readOnlyRefusal(readOnlyEscapeOf(settings));
    if (refusal !== undefined) {
      throw refusal;
    }
  }

  #requireOpen(): void {
    if (this.#isClosed) {
      throw new MultiPoolerError(PoolerErrorCode.NotOpen, "the controller is not open");
    }
    // It may hold a connection from its start, as a reservation does.
    const refusal = this.#engine.gate.refusal("reservation", QueryMode.Unspecified);
    if (refusal !== undefined) {
      throw refusal;
    }
  }
}

/** Who a session is for, and what it is told of its settings. */
type ClientOfSession = Pick<PoolerSessionOptions, "caller" | "client" | "parameters">;

/** A backend that has the settings of a client. */
interface HeldLease {
  readonly lease: Lease;
  readonly settings: StartupSettings;
}

async function readParameters(wish: BackendWish): Promise<ReadonlyMap<string, string>> {
  const lease = await borrowBackend(wish);
  const parameters = new Map(lease.backend.parameters);
  await lease.release();
  return parameters;
}

async function leaseWithSettings(
  wish: BackendWish,
  settings: ReadonlyMap<string, string>,
): Promise<HeldLease> {
  const lease = await borrowBackend(wish);
  lease.taint(Taint.Settings);
  try {
    await setOn(lease, settings);
    return { lease, settings: new StartupSettings(settings, lease.backend) };
  } catch (error) {
    await lease.release();
    throw error;
  }
}

/** @throws WRONG_TARGET for another database, UNIMPLEMENTED for what sessions do not offer yet */
function requireServed(caller: SessionCaller, served: ServedTarget): void {
  requireIdentity(caller, served);
  if (caller.database !== "" && caller.database !== served.database) {
    const message = `database "${caller.database}" does not exist`;
    throw new MultiPoolerError(PoolerErrorCode.WrongTarget, message, {
      diagnostic: errorDiagnostic("3D000", message, {
        detail: `The pooler serves the database "${served.database}" only.`,
      }),
    });
  }
  for (const name of caller.settings.keys()) {
    if (NOT_OFFERED.has(name.toLowerCase())) {
      throw notOffered(`the start-up parameter "${name}"`);
    }
  }
}
