import type { ScramKeys, Settings } from "@multipooler/query-service";
import { NO_SETTINGS } from "../../pool/label-settings.ts";
import type { LabelSettings } from "../../pool/label-settings.ts";
import { settingsOf } from "../../pool/label.ts";
import type { Label } from "../../pool/label.ts";
import type { Labels } from "../../pool/labels.ts";
import type { SettingChanges } from "./setting-changes.ts";

export interface SessionSettingsOptions {
  readonly labels: Labels;
  /** Empty: the configured role. */
  readonly user: string;
  readonly keys: ScramKeys | undefined;
  /** The start-up settings. */
  readonly settings: Settings;
  /** As whom the server knows the session. */
  readonly loginUser: string;
}

/** What a setting reads as that nobody has set. */
const NO_ROLE = "none";

/**
 * The settings of a session, as the label that its backends are to have. What a statement may have
 * changed is pending until the server was asked for the values, when no transaction can take it back.
 */
export class SessionSettings {
  readonly #options: SessionSettingsOptions;
  readonly #startup: Label | undefined;
  #label: Label | undefined;
  /** Most sessions change no settings. */
  #pending: Map<string, "set" | "reset"> | undefined;

  /** @throws INVALID_ARGUMENT for settings or keys that cannot be */
  constructor(options: SessionSettingsOptions) {
    this.#options = options;
    this.#startup = options.labels.of(options);
    this.#label = this.#startup;
  }

  /** `undefined`: a session of the configured role as it was opened. */
  get label(): Label | undefined {
    return this.#label;
  }

  get current(): LabelSettings {
    return this.#label === undefined ? NO_SETTINGS : this.#label.settings;
  }

  get loginUser(): string {
    return this.#options.loginUser;
  }

  get startup(): LabelSettings {
    return settingsOf({ label: this.#startup });
  }

  /** See `LabelSettings`. */
  get conditions(): string {
    return this.current.conditions;
  }

  /** The settings that the server is to be asked for. */
  get pending(): readonly string[] {
    return [...(this.#pending?.keys() ?? [])];
  }

  get isPending(): boolean {
    return this.#pending !== undefined && this.#pending.size > 0;
  }

  /** Statements have been sent that change settings. */
  note({ names, resetsAll }: SettingChanges): void {
    this.#pending ??= new Map();
    if (resetsAll) {
      for (const name of [...this.#pending.keys(), ...this.current.values.keys()]) {
        this.#pending.set(name, "reset");
      }
    }
    for (const [name, type] of names) {
      this.#pending.set(name, type);
    }
  }

  /** The server has reported a setting that no statement was seen to change. */
  noteUnseen(name: string): void {
    this.#pending ??= new Map();
    this.#pending.set(name.toLowerCase(), "set");
  }

  /** What was pending has been taken back, or failed. */
  forget(): void {
    this.#pending = undefined;
  }

  /** All settings are those of the login again. */
  reset(): void {
    this.#pending = undefined;
    this.#become(this.#startup);
  }

  /**
   * The server was asked for what is pending: `undefined` for a setting that it does not know. The
   * backend has the settings of the session then; see `StartupRestoring`.
   */
  settle(values: ReadonlyMap<string, string | undefined>): void {
    const own = new Map(this.current.values);
    for (const [name, answer] of values) {
      const value = this.#isUnset(name, answer) ? undefined : answer;
      // A start-up setting may read otherwise than it was written.
      const isReset = this.#pending?.get(name) === "reset" && value !== own.get(name);
      put(own, name, isReset ? this.startup.values.get(name) : value);
    }
    this.#pending = undefined;
    this.#become(this.#labelOf(own));
  }

  #isUnset(name: string, value: string | undefined): boolean {
    return (
      (name === "role" && value === NO_ROLE) ||
      (name === "session_authorization" && value === this.#options.loginUser)
    );
  }

  #labelOf(settings: Settings): Label | undefined {
    return this.#options.labels.of({ ...this.#options, settings });
  }

  #become(label: Label | undefined): void {
    this.#label = label;
  }
}

function put(settings: Map<string, string>, name: string, value: string | undefined): void {
  if (value === undefined) {
    settings.delete(name);
  } else {
    settings.set(name, value);
  }
}
