import { SimpleQuery } from "@multipooler/pgwire";
import { PoolerErrorCode, encodeParameterStatus } from "@multipooler/query-service";
import type { Settings } from "@multipooler/query-service";
import { MultiPoolerError } from "../error.ts";
import type { Backend } from "../pool/backend.ts";
import { literal } from "../pool/label-difference.ts";
import { LabelSettings } from "../pool/label-settings.ts";
import type { Lease } from "../pool/lease.ts";
import { queryError } from "../postgres-error.ts";
import type { SettingsReset } from "./settings-reset.ts";

/** Start-up parameters that change nothing of what a statement does. */
const NO_SETTINGS = new Set(["user", "database", "application_name"]);
/** Settings whose values mean the same in capitals. Elsewhere case may matter, as in the name of a role. */
const CASELESS = new Set([
  "client_encoding",
  "datestyle",
  "default_transaction_read_only",
  "intervalstyle",
  "standard_conforming_strings",
]);

/** The settings of a client that a backend does not have as it is. `parameters` are what it reports. */
export function missingSettings(
  settings: Settings,
  parameters: ReadonlyMap<string, string>,
): ReadonlyMap<string, string> {
  const reported = new Map([...parameters].map(([name, value]) => [name.toLowerCase(), value]));
  return new Map(
    [...settings].filter(([name, value]) => {
      const setting = name.toLowerCase();
      return !NO_SETTINGS.has(setting) && !isSame(setting, reported.get(setting), value);
    }),
  );
}

function isSame(setting: string, reported: string | undefined, wanted: string): boolean {
  return CASELESS.has(setting)
    ? reported?.toLowerCase() === wanted.toLowerCase()
    : reported === wanted;
}

/** The start-up setting that would end read-only mode, if there is one; for `readOnlyRefusal`. */
export function readOnlyEscapeOf(settings: Settings): string | undefined {
  return new LabelSettings(settings).liftsReadOnly
    ? "a start-up setting that allows writes"
    : undefined;
}

/** The settings that a client has brought on its backend, and which of them that has lost again. */
export class StartupSettings {
  /** What the server reports of a session that has them. */
  readonly reported: ReadonlyMap<string, string>;
  readonly #values: ReadonlyMap<string, string>;
  #lost: ReadonlyMap<string, string> = new Map();

  /** To be made when the backend has them. */
  constructor(values: ReadonlyMap<string, string>, { parameters }: Backend) {
    this.#values = values;
    this.reported = new Map(parameters);
  }

  /**
   * A statement of the client has taken settings back. PostgreSQL goes back to the start-up settings
   * of the session, which are those of the pool here. Returns whether some are lost.
   */
  takenBack(reset: SettingsReset): boolean {
    this.#lost =
      reset.type === "reset"
        ? new Map([...this.#lost, ...[...this.#values].filter(isNamed(reset.name))])
        : this.#values;
    return this.#lost.size > 0;
  }

  /**
   * Has `backend` set again what it has lost, ahead of its next request. Returns what the client is
   * to be told of that.
   */
  restoreOn(backend: Backend): Uint8Array | undefined {
    if (this.#lost.size === 0) {
      return undefined;
    }
    const lost = new Set([...this.#lost.keys()].map((name) => name.toLowerCase()));
    const reports = new Map([...this.reported].filter(([name]) => lost.has(name.toLowerCase())));
    backend.precede({
      statements: [settingsQuery(this.#lost), "BEGIN", "COMMIT"],
      reports,
      done: () => {
        this.#lost = new Map();
      },
    });
    const changed = [...reports].filter(([name, value]) => backend.parameters.get(name) !== value);
    return Buffer.concat(changed.map(([name, value]) => encodeParameterStatus({ name, value })));
  }
}

function isNamed(setting: string): (entry: readonly [string, string]) => boolean {
  return ([name]) => name.toLowerCase() === setting;
}

/** Runs a query that gives a backend settings. Rejects with its error; it is to be cleaned then. */
export async function setOn(
  { backend }: Lease,
  settings: ReadonlyMap<string, string>,
): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const settle: SimpleQuery["settle"] = (end) => {
    if (end.type === "sinkFailed") {
      const problem = "an answer was not taken";
      reject(new MultiPoolerError(PoolerErrorCode.Internal, problem, { cause: end.cause }));
    } else if (end.error === undefined) {
      resolve();
    } else {
      reject(queryError(end.error));
    }
  };
  const receiver = { event: () => undefined, settle };
  backend.send(new SimpleQuery({ sql: settingsQuery(settings), receiver }));
  await promise;
}

function settingsQuery(settings: ReadonlyMap<string, string>): string {
  const calls = [...settings].map(
    ([name, value]) => `pg_catalog.set_config(${literal(name)}, ${literal(value)}, false)`,
  );
  return `SELECT ${calls.join(", ")}`;
}
