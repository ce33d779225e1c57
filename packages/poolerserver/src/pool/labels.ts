import type { Caller } from "@multipooler/query-service";
import { NO_SETTINGS } from "./label-settings.ts";
import type { Label } from "./label.ts";
import { SettingsCache } from "./settings-cache.ts";

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
   * @throws INVALID_ARGUMENT for a NUL character in a setting
   */
  of({ user, keys, settings }: Pick<Caller, "user" | "keys" | "settings">): Label | undefined {
    const wanted = this.#settings.get(settings);
    const role = user === "" ? this.#user : user;
    return role === this.#user && keys === undefined && wanted === NO_SETTINGS
      ? undefined
      : { user: role, keys, settings: wanted };
  }
}
