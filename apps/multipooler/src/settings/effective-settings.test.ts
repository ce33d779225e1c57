import { expect, test } from "vitest";
import { effectiveSettings } from "./effective-settings.ts";
import type { EffectiveSetting } from "./effective-settings.ts";
import type { ConfigSources } from "./setting-source.ts";
import { settings } from "./settings.ts";

const NO_FILE = { path: undefined, values: {}, lines: new Map(), problems: [], warning: undefined };

function effective(name: string, sources: Partial<ConfigSources>): EffectiveSetting | undefined {
  return effectiveSettings(settings, { flags: {}, env: {}, file: NO_FILE, ...sources }).find(
    (setting) => setting.name === name,
  );
}

test("each value is shown with what has set it", () => {
  const file = { ...NO_FILE, path: "/etc/pooler.yaml", values: { cell: "zone3", shard: "0-80" } };
  const env = { MT_CELL: "zone2" };
  expect(effective("cell", { flags: { cell: "zone1" }, env, file })).toEqual({
    name: "cell",
    value: "zone1",
    source: "flag",
    from: "--cell",
  });
  expect(effective("cell", { env, file })).toMatchObject({ value: "zone2", from: "MT_CELL" });
  expect(effective("shard", { env, file })).toMatchObject({
    source: "file",
    from: "shard in /etc/pooler.yaml",
  });
  expect(effective("shard", {})).toMatchObject({ value: "0-inf", source: "default", from: "" });
  expect(effective("service-id", {})).toMatchObject({ value: undefined, source: "unset" });
});

test("what Kubernetes sets for a service is no value", () => {
  const env = { MULTIPOOLER_GRPC_PORT: "tcp://10.0.0.1:15270" };
  expect(effective("grpc-port", { env })).toMatchObject({ value: "15270", source: "default" });
});

test("secrets are never shown", () => {
  const secrets = Object.values(settings).filter(({ secret }) => secret);
  expect(secrets.length).toBeGreaterThan(0);
  for (const { flag } of secrets) {
    const shown = effective(flag, { flags: { [flag]: "hunter2" } });
    expect(shown).toMatchObject({ value: "redacted", from: `--${flag}` });
  }
});
