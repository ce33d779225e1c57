import { PoolerErrorCode } from "@multipooler/query-service";
import type { Caller, ScramKeys } from "@multipooler/query-service";
import { MultiPoolerError, errorDiagnostic } from "../error.ts";
import { NO_SETTINGS } from "./label-settings.ts";
import type { Label } from "./label.ts";
import { SettingsCache } from "./settings-cache.ts";

const KEY_BYTES = 32;

/** Makes labels out of what callers ask for. */
export class Labels {
  readonly #user: string;
  readonly #settings: SettingsCache;

  /** `user`: the role that queries run as where a caller names none. */
  constructor(options: { readonly user: string; readonly settingsCacheSize: number }) {
    this.#user = options.user;
    this.#settings = new SettingsCache({ maxEntries: options.settingsCacheSize });
  }

  /**
   * `undefined`: a session of the configured role as it was opened.
   *
   * @throws INVALID_ARGUMENT for a NUL character, or keys of another length than SCRAM-SHA-256 has
   */
  of({ user, keys, settings }: Pick<Caller, "user" | "keys" | "settings">): Label | undefined {
    if (keys !== undefined) {
      requireLength(keys);
    }
    const wanted = this.#settings.get(settings);
    const role = user === "" ? this.#user : user;
    return role === this.#user && keys === undefined && wanted === NO_SETTINGS
      ? undefined
      : { user: role, keys, settings: wanted };
  }
}

function requireLength({ clientKey, serverKey }: ScramKeys): void {
  if (clientKey.length !== KEY_BYTES || serverKey.length !== KEY_BYTES) {
    const problem = `the keys of the user have ${clientKey.length} and ${serverKey.length} bytes, not ${KEY_BYTES}`;
    throw new MultiPoolerError(PoolerErrorCode.InvalidArgument, problem, {
      diagnostic: errorDiagnostic("28000", problem),
    });
  }
}
