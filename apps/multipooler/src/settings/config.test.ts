import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { ConfigError, readSettingsFile, resolveConfig } from "./config.ts";
import type { ConfigSources } from "./setting-source.ts";

const directory = mkdtempSync(join(tmpdir(), "multipooler config "));
afterAll(() => rmSync(directory, { recursive: true }));

let files = 0;
function file(content: string): string {
  const name = join(directory, `settings-${files++}.yaml`);
  writeFileSync(name, content);
  return name;
}

interface Sources extends Partial<Omit<ConfigSources, "file">> {
  readonly configFile?: string;
}

function resolve({ configFile, ...sources }: Sources): ReturnType<typeof resolveConfig> {
  return resolveConfig({
    flags: {},
    env: {},
    file: readSettingsFile({ path: configFile }),
    ...sources,
  });
}

function problems(sources: Sources): readonly string[] {
  try {
    resolve(sources);
  } catch (error) {
    if (error instanceof ConfigError) {
      return error.problems;
    }
    throw error;
  }
  return [];
}

test("without any source every setting has its default or is unset", () => {
  const config = resolve({});
  expect(config.grpcPort).toBe(15_270);
  expect(config.idleTimeoutMs).toBe(300_000);
  expect(config.initialPoolerType).toBe("unknown");
  expect(config.serviceId).toBeUndefined();
});

test("a flag wins over the environment, that over the file, that over the default", () => {
  const configFile = file("grpc-port: 1001\nhttp-port: 1002\npg-port: 1003\n");
  const config = resolve({
    configFile,
    env: { MULTIPOOLER_GRPC_PORT: "2001", MULTIPOOLER_HTTP_PORT: "2002" },
    flags: { "grpc-port": "3001" },
  });
  expect([config.grpcPort, config.httpPort, config.pgPort]).toEqual([3001, 2002, 1003]);
});

test("the names of Multigres' environment are understood, our own win", () => {
  expect(resolve({ env: { MT_CELL: "zone2" } }).cell).toBe("zone2");
  expect(resolve({ env: { MT_CELL: "zone2", MULTIPOOLER_CELL: "zone3" } }).cell).toBe("zone3");
});

test("an empty environment variable counts as not set", () => {
  expect(resolve({ env: { MT_CELL: "" } }).cell).toBe("zone1");
});

test.each([
  ["0", 0],
  ["250ms", 250],
  ["1.5s", 1500],
  ["30s", 30_000],
  ["1h30m", 5_400_000],
])("the duration %s is %d ms", (given, ms) => {
  expect(resolve({ flags: { "start-timeout": given } }).startTimeoutMs).toBe(ms);
});

test.each([
  ["grpc-port", "99999", '--grpc-port: "99999" is not a whole number from 0 to 65535'],
  [
    "grpc-bind-address",
    "[::]",
    '--grpc-bind-address: "[::]" must be an IPv6 address without brackets',
  ],
  ["hostname", "a b", '--hostname: "a b" is no address and no host name'],
  ["pg-port", "0", '--pg-port: "0" is not a whole number from 1 to 65535'],
  ["pg-port", "54x", '--pg-port: "54x" is not a whole number from 1 to 65535'],
  ["pg-port", "", '--pg-port: "" is not a whole number from 1 to 65535'],
  [
    "connpool-dial-timeout",
    "5",
    '--connpool-dial-timeout: "5" is not a duration from 1ms to 2147483647ms such as 500ms, 30s or 1h30m',
  ],
  [
    "connpool-dial-timeout",
    "900h",
    '--connpool-dial-timeout: "900h" is not a duration from 1ms to 2147483647ms such as 500ms, 30s or 1h30m',
  ],
  [
    "initial-pooler-type",
    "master",
    '--initial-pooler-type: "master" is none of unknown, primary, replica',
  ],
  [
    "cell",
    "zone_1",
    '--cell: "zone_1" must have from 1 to 30 letters, digits and dashes, and start with a letter or digit',
  ],
])("--%s %j is refused by name, value and limit", (flag, value, problem) => {
  expect(problems({ flags: { [flag]: value } })).toEqual([problem]);
});

test("every problem is reported at once, each with where it comes from", () => {
  const configFile = file("pg-port: many\ncapacity: 3\nhttp-port: [1]\n");
  expect(problems({ configFile, env: { MT_CELL: "_" }, flags: { "grpc-port": "-1" } })).toEqual([
    `capacity in ${configFile}:2: there is no such setting`,
    `http-port in ${configFile}:3: must be a text or a number`,
    'MT_CELL: "_" must have from 1 to 30 letters, digits and dashes, and start with a letter or digit',
    `pg-port in ${configFile}:1: "many" is not a whole number from 1 to 65535`,
    '--grpc-port: "-1" is not a whole number from 0 to 65535',
  ]);
});

test("a secret is never shown in an error", () => {
  const [problem] = problems({ env: { CONNPOOL_ADMIN_PASSWORD: "hunter2\0" } });
  expect(problem).toBe(
    "CONNPOOL_ADMIN_PASSWORD: the value given must not be empty or hold a NUL character",
  );
});

test("a file that is missing or is no list of settings is named", () => {
  expect(problems({ configFile: join(directory, "absent.yaml") })[0]).toMatch(
    /^--config-file: .*absent\.yaml does not exist$/,
  );
  const list = file("- 1\n");
  expect(problems({ configFile: list })).toEqual([
    `--config-file: ${list} must hold settings as "name: value"`,
  ]);
  const broken = file("a: [");
  expect(problems({ configFile: broken })[0]).toContain(`${broken}:1: is not YAML: `);
});

test("an empty file changes nothing", () => {
  expect(resolve({ configFile: file("") })).toEqual(resolve({}));
});
