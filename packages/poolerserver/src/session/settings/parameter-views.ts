import type { LabelSettings } from "../../pool/label-settings.ts";

/** What the server reports of a session, without its `application_name`. */
export type ParameterView = ReadonlyMap<string, string>;

/** What connections of a pool are called that nobody has named otherwise; reported apart. */
export const APPLICATION_NAME = "application_name";

/** Different ones that are told apart by identity; beyond that they are compared. */
const MAX_VIEWS = 1000;

/**
 * Makes equal reports of the server the same object, so that a session sees with one comparison that
 * nothing has changed, and remembers what is reported under which settings.
 */
export class ParameterViews {
  readonly #byReport = new WeakMap<ReadonlyMap<string, string>, ParameterView>();
  readonly #byContent = new Map<string, ParameterView>();
  #bySettings = new WeakMap<LabelSettings, Map<string, ParameterView>>();

  /** @param report of a backend, which is another object after each change */
  of(report: ReadonlyMap<string, string>): ParameterView {
    const known = this.#byReport.get(report);
    if (known !== undefined) {
      return known;
    }
    const view = this.#intern(report);
    this.#byReport.set(report, view);
    return view;
  }

  /** What was reported last of a session of that user with these settings. */
  lastOf(user: string, settings: LabelSettings): ParameterView | undefined {
    return this.#bySettings.get(settings)?.get(user);
  }

  note(user: string, settings: LabelSettings, view: ParameterView): void {
    const byUser = this.#bySettings.get(settings) ?? new Map<string, ParameterView>();
    byUser.set(user, view);
    this.#bySettings.set(settings, byUser);
  }

  /** Forgets what is reported under which settings. */
  forget(): void {
    this.#bySettings = new WeakMap();
  }

  #intern(report: ReadonlyMap<string, string>): ParameterView {
    const entries = [...report].filter(([name]) => name !== APPLICATION_NAME);
    const key = JSON.stringify(entries.toSorted(([one], [other]) => (one < other ? -1 : 1)));
    const known = this.#byContent.get(key);
    if (known !== undefined) {
      return known;
    }
    if (this.#byContent.size >= MAX_VIEWS) {
      this.#byContent.clear();
    }
    const view = new Map(entries);
    this.#byContent.set(key, view);
    return view;
  }
}
