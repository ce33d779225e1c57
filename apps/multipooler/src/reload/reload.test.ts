import { ClientTlsFiles } from "@multipooler/tls";
import { systemClock } from "@multipooler/timing";
import { pino } from "pino";
import { expect, test } from "vitest";
import { readSettingsFile, resolveConfig } from "../settings/config.ts";
import type { ConfigSources } from "../settings/setting-source.ts";
import { Reload } from "./reload.ts";
import { RunningConfig } from "./running-config.ts";

const OPEN_FILES = 1024;

function sourcesOf(flags: ConfigSources["flags"]): ConfigSources {
  return { flags, env: {}, file: readSettingsFile({}) };
}

/** A reload from settings to others, of parts that write down what they are given. */
function reloading(from: ConfigSources["flags"], to: ConfigSources["flags"]) {
  const given: string[] = [];
  const logger = pino({ enabled: false });
  const files = new ClientTlsFiles({ mode: "disable" }, { clock: systemClock, logger });
  const running = new RunningConfig({
    config: resolveConfig(sourcesOf(from)),
    sources: sourcesOf(from),
    read: () => sourcesOf(to),
  });
  const part = (name: string) => ({
    prepare: () => () => void given.push(`files of ${name}`),
    change: () => void given.push(`limits of ${name}`),
  });
  const reload = new Reload(running, {
    log: {
      logger,
      setLevel: (level) => void given.push(level),
      reopen: () => void given.push("the log"),
    },
    tls: {
      settings: files.settings,
      prepare: (config) => {
        const replace = files.prepare(config);
        return () => {
          given.push("files of PostgreSQL");
          replace();
        };
      },
    },
    httpTls: undefined,
    database: { preparePlace: () => () => void given.push("address of PostgreSQL") },
    controller: part("pools"),
    grpc: part("gRPC"),
    clients: part("clients"),
    openFiles: OPEN_FILES,
  });
  return { reload, running, given };
}

test("a reload puts files and limits in place", () => {
  const { reload, given } = reloading({ "pg-listen-port": "6432" }, { "log-level": "warn" });
  expect(reload.run("SIGHUP", {}).type).toBe("applied");
  expect(given).toEqual([
    "the log",
    "files of PostgreSQL",
    "address of PostgreSQL",
    "files of gRPC",
    "files of clients",
    "warn",
    "limits of pools",
    "limits of gRPC",
    "limits of clients",
  ]);
});

test("a limit that does not fit what waits for a restart refuses the whole reload, and is told before", () => {
  // Without the port the limit would mean nothing; but the port stays until a restart.
  const { reload, running, given } = reloading(
    { "pg-listen-port": "6432" },
    { "pg-max-clients": "100000", "log-level": "warn" },
  );
  const refused = {
    type: "refused",
    problems: [expect.stringMatching(/^--pg-max-clients: 100000 is more than the \d+ that/)],
  };
  expect(reload.explain()).toEqual(refused);
  expect(reload.run("SIGHUP", {})).toEqual(refused);
  // What rotates logs waits for that.
  expect(given).toEqual(["the log"]);
  expect(running.current).toMatchObject({ logLevel: "info", pgMaxClients: undefined });
});
