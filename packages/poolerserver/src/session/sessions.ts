import { QueryMode } from "@multipooler/query-service";
import type {
  CallOptions,
  Session,
  SessionCaller,
  SessionClient,
  Settings,
} from "@multipooler/query-service";
import type { DoubtReview, StatementClassifier } from "../classification/classification.ts";
import { notOpenError } from "../error.ts";
import { notOffered } from "../execution/request-checks.ts";
import type { ServedTarget } from "../execution/request-checks.ts";
import { isUtf8 } from "../pool/label-settings.ts";
import type { Labels } from "../pool/labels.ts";
import type { ReadOnlyEscapes } from "../read-only-guard.ts";
import { StatementCounts } from "../statements/statement-counts.ts";
import { UnfinishedGroups } from "./input/unfinished-groups.ts";
import { LargeResults } from "./output/large-results.ts";
import { PoolerSession } from "./pooler-session.ts";
import type { PoolerSessionOptions } from "./pooler-session-options.ts";
import type { SessionEngine, SessionLimits } from "./session-engine.ts";
import { reportedAtLogin } from "./settings/login-report.ts";
import { ParameterViews } from "./settings/parameter-views.ts";
import { SessionSettings } from "./settings/session-settings.ts";
import { SessionsInDoubt } from "./sessions-in-doubt.ts";
import { TransactionCommands } from "./transaction/transaction-command.ts";

const NOT_OFFERED = new Set(["options", "replication"]);
/** Start-up parameters that say who comes, and for what. */
const NO_SETTINGS = new Set(["user", "database"]);
const CLIENT_ENCODING = "client_encoding";
/** Of backends that no session has set another one for. */
const POOL_ENCODING = "UTF8";
const DEFAULT_LIMITS: SessionLimits = {
  inputBytes: 262_144,
  heldBytes: 1_048_576,
  maxStatements: 10_000,
  maxStatementBytes: 16_777_216,
};

const WRITABLE_START: ReadOnlyEscapes = {
  administration: undefined,
  writing: "a start-up setting that allows writes",
};

export interface SessionsOptions extends Omit<
  SessionEngine,
  "classifier" | "limits" | "counts" | "views" | "doubts" | "groups" | "holdsBegin" | "commands"
> {
  /** The configured role. */
  readonly served: Pick<ServedTarget, "user">;
  readonly classifier: StatementClassifier & DoubtReview;
  /** See {@link SessionsInDoubt}. */
  readonly onDoubt?: ((isUrgent: boolean) => void) | undefined;
  /** The `client_encoding` that a role is configured with. Default: none is. */
  readonly encodingOf?: ((user: string) => string | undefined) | undefined;
  readonly labels: Labels;
  /** Default: 256 KiB of input, 1 MiB of output, 10,000 statements of 16 MiB together. */
  readonly limits?: Partial<SessionLimits> | undefined;
  /** Default: it is so. */
  readonly holdsBegin?: boolean | undefined;
  /** Default: nobody is told. */
  readonly counts?: StatementCounts | undefined;
}

/** The sessions of one database. Who opens them has found out that it is the one that they name. */
export class Sessions {
  readonly #user: string;
  readonly #labels: Labels;
  readonly #engine: SessionEngine;
  readonly #encodingOf: SessionsOptions["encodingOf"];
  readonly #sessions = new Set<PoolerSession>();
  #isClosed = false;

  constructor(options: SessionsOptions) {
    const {
      served,
      classifier,
      onDoubt,
      encodingOf,
      labels,
      limits,
      counts,
      holdsBegin,
      ...engine
    } = options;
    this.#encodingOf = encodingOf;
    this.#user = served.user;
    this.#labels = labels;
    this.#engine = {
      ...engine,
      classifier: new LargeResults(classifier),
      limits: { ...DEFAULT_LIMITS, ...limits },
      counts: counts ?? new StatementCounts(),
      holdsBegin: holdsBegin ?? true,
      commands: new TransactionCommands(),
      views: new ParameterViews(),
      doubts: new SessionsInDoubt(onDoubt),
      groups: new UnfinishedGroups(options.clock),
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
    requireOffered(caller.settings);
    this.#requireOpen();
    const { settings, parameters } = await this.#report(caller, signal);
    // It may have been closed, or serve read-only, meanwhile.
    this.#requireOpen();
    this.#requireReadOnly(settings);
    return this.#add({ caller, client, settings, parameters });
  }

  /** The catalog was read: what texts have left that were judged without it is judged again. */
  review(): void {
    this.#engine.doubts.review();
  }

  /** Whether one keeps its backend until the catalog was read. */
  get areInDoubt(): boolean {
    return !this.#engine.doubts.isEmpty;
  }

  /** What the server has reported of sessions so far need not hold any more. */
  forgetReports(): void {
    this.#engine.views.forget();
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

  /** The settings that a session begins with, and what the server reports of them. */
  async #report(
    caller: SessionCaller,
    signal: AbortSignal | undefined,
  ): Promise<Pick<PoolerSessionOptions, "settings" | "parameters">> {
    const settings = this.#settingsOf(caller);
    this.#requireReadOnly(settings);
    const report = { ...this.#engine, origin: caller.origin, signal };
    const parameters = await reportedAtLogin(settings, report);
    if (hasSetting(caller.settings, CLIENT_ENCODING)) {
      return { settings, parameters };
    }
    // A client that names none has that of its role, or of the database.
    const encoding =
      this.#encodingOf?.(settings.loginUser) ?? parameters.get("server_encoding") ?? POOL_ENCODING;
    if (isUtf8(encoding)) {
      return { settings, parameters };
    }
    const own = new Map([...caller.settings, [CLIENT_ENCODING, encoding]]);
    return await this.#report({ ...caller, settings: own }, signal);
  }

  /**
   * The configured role needs no keys of its client: its pool is that of calls, too.
   *
   * @throws INVALID_ARGUMENT
   */
  #settingsOf({ user, keys, settings }: SessionCaller): SessionSettings {
    const isConfigured = user === "" || user === this.#user;
    return new SessionSettings({
      labels: this.#labels,
      user: isConfigured ? "" : user,
      keys: isConfigured ? undefined : keys,
      settings: withoutIdentity(settings),
      loginUser: isConfigured ? this.#user : user,
    });
  }

  #add(options: Omit<PoolerSessionOptions, "engine" | "onGone">): PoolerSession {
    const session = new PoolerSession({
      ...options,
      engine: this.#engine,
      onGone: (gone) => this.#sessions.delete(gone),
    });
    this.#sessions.add(session);
    return session;
  }

  /** @throws READ_ONLY */
  #requireReadOnly({ startup }: SessionSettings): void {
    const escapes = startup.liftsReadOnly ? WRITABLE_START : undefined;
    const refusal = this.#engine.gate.readOnlyRefusal(escapes);
    if (refusal !== undefined) {
      throw refusal;
    }
  }

  #requireOpen(): void {
    if (this.#isClosed) {
      throw notOpenError();
    }
    const refusal = this.#engine.gate.refusal("reservation", QueryMode.Unspecified);
    if (refusal !== undefined) {
      throw refusal;
    }
  }
}

function hasSetting(settings: Settings, wanted: string): boolean {
  return [...settings.keys()].some((name) => name.toLowerCase() === wanted);
}

function withoutIdentity(settings: Settings): Settings {
  return new Map([...settings].filter(([name]) => !NO_SETTINGS.has(name.toLowerCase())));
}

/** @throws UNIMPLEMENTED for what sessions do not offer */
function requireOffered(settings: Settings): void {
  for (const name of settings.keys()) {
    if (NOT_OFFERED.has(name.toLowerCase())) {
      throw notOffered(`the start-up parameter "${name}"`);
    }
  }
}
