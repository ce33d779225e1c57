import type { Settings } from "@multipooler/query-service";
import { LabelSettings, NO_SETTINGS } from "./label-settings.ts";

/** Longer ones are not remembered, so that the cache has a bound in bytes too. */
const MAX_KEY_LENGTH = 8192;

/**
 * Makes equal settings the same object. Of those that were not asked for recently it forgets the
 * oldest; when they are asked for again, sessions that have them count as having others.
 */
export class SettingsCache {
  readonly #maxEntries: number;
  readonly #entries = new Map<string, LabelSettings>();

  constructor({ maxEntries }: { readonly maxEntries: number }) {
    this.#maxEntries = maxEntries;
  }

  /** @throws INVALID_ARGUMENT for a NUL character */
  get(settings: Settings): LabelSettings {
    if (settings.size === 0) {
      return NO_SETTINGS;
    }
    const key = keyOf(settings);
    const known = this.#entries.get(key);
    if (known !== undefined) {
      this.#touch(key, known);
      return known;
    }
    const added = new LabelSettings(settings);
    if (key.length <= MAX_KEY_LENGTH) {
      this.#add(key, added);
    }
    return added;
  }

  #touch(key: string, settings: LabelSettings): void {
    // While there is room the order does not matter.
    if (this.#entries.size * 2 > this.#maxEntries) {
      this.#entries.delete(key);
      this.#entries.set(key, settings);
    }
  }

  #add(key: string, settings: LabelSettings): void {
    const [oldest] = this.#entries.keys();
    if (oldest !== undefined && this.#entries.size >= this.#maxEntries) {
      this.#entries.delete(oldest);
    }
    this.#entries.set(key, settings);
  }
}

/** Different for different settings: each part is preceded by its length. */
function keyOf(settings: Settings): string {
  if (settings.size === 1) {
    for (const [name, value] of settings) {
      return partOf(name, value);
    }
  }
  const names = [...settings.keys()].toSorted();
  let key = "";
  for (const name of names) {
    key += partOf(name, settings.get(name) ?? "");
  }
  return key;
}

function partOf(name: string, value: string): string {
  return `${name.length}:${name.toLowerCase()}${value.length}:${value}`;
}
