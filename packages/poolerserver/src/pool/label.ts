import type { ScramKeys } from "@multipooler/query-service";
import { NO_SETTINGS } from "./label-settings.ts";
import type { LabelSettings } from "./label-settings.ts";

/** As whom a session is opened. Without keys the pooler's own credential of that role counts. */
export interface Identity {
  readonly user: string;
  readonly keys: ScramKeys | undefined;
}

/** The session that a unit wants. */
export interface Label extends Identity {
  readonly settings: LabelSettings;
}

/** @param label `undefined`: that of the configured role, as it was opened */
export function settingsOf({ label }: { readonly label?: Label | undefined }): LabelSettings {
  return label === undefined ? NO_SETTINGS : label.settings;
}
