import { isDeepStrictEqual } from "node:util";
import type { PendingSetting, ReloadOutcome, SettingChange } from "@multipooler/grpc-services";
import { explain } from "../fault.ts";
import { ConfigError, resolveConfig } from "../settings/config.ts";
import { effectiveSettings } from "../settings/effective-settings.ts";
import type { EffectiveSetting } from "../settings/effective-settings.ts";
import type { ConfigSources } from "../settings/setting-source.ts";
import type { Setting } from "../settings/setting.ts";
import { settings } from "../settings/settings.ts";
import type { Config } from "../settings/settings.ts";

const TABLE = Object.entries<Setting<unknown>>(settings);

export interface RunningConfigOptions {
  /** Made of `sources`. */
  readonly config: Config;
  readonly sources: ConfigSources;
  /** Reads them again. */
  readonly read: () => ConfigSources;
}

/**
 * Returns what has the parts of the process take `next`, and does all before that can fail. `wanted` has
 * the values too that need a restart: it throws where these would not let the process start.
 */
export type PrepareConfig = (next: Config, wanted: Config) => () => void;

/**
 * The configuration that the process runs with. A reload puts values in place that can change at run
 * time; the others wait for a restart.
 */
export class RunningConfig {
  readonly #sources: () => ConfigSources;
  #current: Config;
  #effective: readonly EffectiveSetting[];

  constructor({ config, sources, read }: RunningConfigOptions) {
    this.#sources = read;
    this.#current = config;
    this.#effective = effectiveSettings(settings, sources);
  }

  /** The values that are in use. */
  get current(): Config {
    return this.#current;
  }

  /** The same for people, with what waits for a restart. */
  get effective(): readonly EffectiveSetting[] {
    return this.#effective;
  }

  /**
   * Reads the settings again. In one step: nobody sees a part of it, and the parts find {@link current}
   * changed already. Never throws.
   */
  reload(prepare: PrepareConfig): ReloadOutcome {
    return this.#read(prepare, ({ next, effective, apply }) => {
      this.#current = next;
      this.#effective = effective;
      apply();
    });
  }

  /** Tells what {@link reload} would do. Never throws. */
  preview(prepare: PrepareConfig): ReloadOutcome {
    return this.#read(prepare, () => undefined);
  }

  #read(prepare: PrepareConfig, take: (prepared: PreparedConfig) => void): ReloadOutcome {
    try {
      const sources = this.#sources();
      const wanted = resolveConfig(sources);
      const next = this.#changeableOf(wanted);
      const shown = effectiveSettings(settings, sources);
      const apply = prepare(next, wanted);
      const { effective, ...difference } = this.#differenceTo({ wanted, next, shown });
      take({ next, effective, apply });
      return { type: "applied", ...difference };
    } catch (error) {
      const problems = error instanceof ConfigError ? error.problems : [explain(error)];
      return { type: "refused", problems };
    }
  }

  /** What is wanted, as far as it can change now. */
  #changeableOf(wanted: Config): Config {
    const current = new Map<string, unknown>(Object.entries(this.#current));
    const next = new Map<string, unknown>(Object.entries(wanted));
    const kept = TABLE.filter(
      ([key, setting]) => waitsBecause(setting, current.get(key), next.get(key)) !== undefined,
    ).map(([key]): [string, unknown] => [key, current.get(key)]);
    return { ...wanted, ...Object.fromEntries(kept) };
  }

  #differenceTo({ wanted, next, shown }: NewConfig): Difference {
    const [formerValues, nextValues, wantedValues] = [this.#current, next, wanted].map(
      (config) => new Map<string, unknown>(Object.entries(config)),
    );
    const before = new Map(this.#effective.map((setting) => [setting.name, setting]));
    const changed: SettingChange[] = [];
    const pending: PendingSetting[] = [];
    const effective = TABLE.map(([key, setting], index) => {
      const after = shown[index] ?? unset(setting);
      const inUse = before.get(setting.flag) ?? unset(setting);
      if (!isDeepStrictEqual(nextValues?.get(key), wantedValues?.get(key))) {
        const reason = waitsBecause(setting, formerValues?.get(key), wantedValues?.get(key)) ?? "";
        pending.push({ ...changeOf(inUse, after), reason });
        return { ...inUse, pending: { value: after.value, from: after.from, reason } };
      }
      if (!isDeepStrictEqual(formerValues?.get(key), nextValues?.get(key))) {
        changed.push(changeOf(inUse, after));
      }
      return after;
    });
    return { changed, pending, effective };
  }
}

/** What is different from what runs, and what runs then. */
interface Difference {
  readonly changed: readonly SettingChange[];
  readonly pending: readonly PendingSetting[];
  readonly effective: readonly EffectiveSetting[];
}

/** Why a value has to wait for a restart; `undefined`: it can be put in place now. */
function waitsBecause(
  { restartReason, presenceReason }: Setting<unknown>,
  current: unknown,
  wanted: unknown,
): string | undefined {
  const isSetOrRemoved = (current === undefined) !== (wanted === undefined);
  return restartReason ?? (isSetOrRemoved ? presenceReason : undefined);
}

interface PreparedConfig {
  readonly next: Config;
  readonly effective: readonly EffectiveSetting[];
  readonly apply: () => void;
}

interface NewConfig {
  readonly wanted: Config;
  readonly next: Config;
  readonly shown: readonly EffectiveSetting[];
}

function unset({ flag }: Setting<unknown>): EffectiveSetting {
  return { name: flag, value: undefined, source: "unset", from: "" };
}

function changeOf(before: EffectiveSetting, after: EffectiveSetting): SettingChange {
  const { name, value, from } = after;
  return { name, before: before.value, after: value, source: from };
}
