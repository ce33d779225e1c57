import { settings } from "../settings/settings.ts";
import type { Setting } from "../settings/setting.ts";
import type { IniEntry } from "./ini-file.ts";

/** What has no counterpart, and what is to be done about it. */
export interface Note {
  readonly place: string;
  readonly what: string;
  readonly why: string;
}

const SETTINGS: ReadonlyMap<string, Setting<unknown>> = new Map(
  Object.values<Setting<unknown>>(settings).map((setting) => [setting.flag, setting]),
);

/** Collects what an import finds: settings of ours, in their order, and what becomes of the rest. */
export class Findings {
  readonly #settings = new Map<string, string>();
  readonly #notes: Note[] = [];

  get settings(): ReadonlyMap<string, string> {
    return this.#settings;
  }

  get notes(): readonly Note[] {
    return this.#notes;
  }

  set(setting: string, value: string): void {
    this.#settings.set(setting, value);
  }

  /** Takes a value over, unless our setting refuses it: the file that comes of it is always valid. */
  take({ place, key }: IniEntry, setting: string, value: string): void {
    const parsed = SETTINGS.get(setting)?.schema.safeParse(value);
    if (parsed?.success === false) {
      const why = parsed.error.issues[0]?.message ?? "is not valid";
      this.note(place, key, `${JSON.stringify(value)} ${why} (${setting})`);
    } else {
      this.set(setting, value);
    }
  }

  note(place: string, what: string, why: string): void {
    this.#notes.push({ place, what, why });
  }
}
