import { encodeParameterStatus } from "@multipooler/query-service";
import { APPLICATION_NAME } from "./parameter-views.ts";
import type { ParameterView, ParameterViews } from "./parameter-views.ts";

export interface ClientParametersOptions {
  readonly views: ParameterViews;
  /** What the client is told at its login. */
  readonly initial: ParameterView;
  /** Its start-up settings. Names are in lower case. */
  readonly startup: ReadonlyMap<string, string>;
  /** The `application_name` of connections that nobody has named otherwise. */
  readonly poolName: string;
  /** The settings of the session are reported like this now. */
  readonly onCompared: (view: ParameterView) => void;
}

/**
 * What a client was told of its settings (ParameterStatus). It sees the values of its own session,
 * whichever backend runs its statements.
 */
export class ClientParameters {
  readonly #options: ClientParametersOptions;
  #told: ParameterView;
  #applicationName: string;

  constructor(options: ClientParametersOptions) {
    this.#options = options;
    this.#told = options.initial;
    this.#applicationName = this.#startupName;
  }

  /**
   * The server reports a setting. Returns what the client is to be told, if that is news to it.
   *
   * @param isDiscarded the client has taken its settings back: what holds then is its start-up setting
   */
  reported(name: string, value: string, isDiscarded: boolean): Uint8Array | undefined {
    if (name === APPLICATION_NAME) {
      return this.#reportedName(value);
    }
    const { startup, initial } = this.#options;
    const isOwn = isDiscarded && startup.has(name.toLowerCase());
    return this.#tell(name, isOwn ? (initial.get(name) ?? value) : value);
  }

  /** A unit has run on a backend that has the settings of the session and reports this. */
  compare(report: ReadonlyMap<string, string>): Uint8Array | undefined {
    const view = this.#options.views.of(report);
    if (view === this.#told) {
      return undefined;
    }
    const changes = [...view].map(([name, value]) => this.#tell(name, value));
    this.#told = view;
    this.#options.onCompared(view);
    return joined(changes);
  }

  /** What the client was told last. */
  valueOf(name: string): string | undefined {
    return name === APPLICATION_NAME ? this.#applicationName : this.#told.get(name);
  }

  /**
   * The session has `settings` again, some of which may be those of its login, while its backend does
   * not have them yet. Returns what the client is to be told.
   */
  restored(settings: ReadonlyMap<string, string>): Uint8Array | undefined {
    const { startup, initial } = this.#options;
    const isOwn = (name: string): boolean => {
      const value = startup.get(name.toLowerCase());
      return value !== undefined && settings.get(name.toLowerCase()) === value;
    };
    const own = [...initial].filter(([name]) => isOwn(name));
    return joined(own.map(([name, value]) => this.#tell(name, value)));
  }

  get #startupName(): string {
    return this.#options.startup.get(APPLICATION_NAME) ?? "";
  }

  #reportedName(value: string): Uint8Array | undefined {
    const name = value === this.#options.poolName ? this.#startupName : value;
    if (name === this.#applicationName) {
      return undefined;
    }
    this.#applicationName = name;
    return encodeParameterStatus({ name: APPLICATION_NAME, value: name });
  }

  #tell(name: string, value: string): Uint8Array | undefined {
    if (this.#told.get(name) === value) {
      return undefined;
    }
    this.#told = new Map(this.#told).set(name, value);
    return encodeParameterStatus({ name, value });
  }
}

function joined(messages: readonly (Uint8Array | undefined)[]): Uint8Array | undefined {
  const all = messages.filter((message) => message !== undefined);
  return all.length === 0 ? undefined : Buffer.concat(all);
}
