/** What has no counterpart, and what is to be done about it. */
export interface Note {
  readonly place: string;
  readonly what: string;
  readonly why: string;
}

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

  note(place: string, what: string, why: string): void {
    this.#notes.push({ place, what, why });
  }
}
