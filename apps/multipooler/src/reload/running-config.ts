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
 * Has the parts of the process take `next`, all of it or, when it throws, nothing. `wanted` has the
 * values too that need a restart: it throws where these would not let the process start.
 */
export type ApplyConfig = (next: Config, wanted: Config) => void;

/**
 * The configuration that the process runs with. A reload puts values in place that can change at run
 * time; the others wait for a restart.
 */
export class RunningConfig {
  readonly #read: () => ConfigSources;
  #current: Config;
  #effective: readonly EffectiveSetting[];

  constructor({ config, sources, read }: RunningConfigOptions) {
    this.#read = read;
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

  /** Reads the settings again. In one step: nobody sees a part of it. Never throws. */
  reload(apply: ApplyConfig): ReloadOutcome {
    try {
      const sources = this.#read();
      const wanted = resolveConfig(sources);
      const next = this.#changeableOf(wanted);
      apply(next, wanted);
      return this.#take({ wanted, next, shown: effectiveSettings(settings, sources) });
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

  #take({ wanted, next, shown }: NewConfig): ReloadOutcome {
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
    this.#current = next;
    this.#effective = effective;
    return { type: "applied", changed, pending };
  }
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
