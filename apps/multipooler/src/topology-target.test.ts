import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { ConfigError, readSettingsFile, resolveSettings } from "./settings/config.ts";
import { defaultTopologyFile, topologyTarget, topologyTargetSettings } from "./topology-target.ts";
import type { TopologyTarget } from "./topology-target.ts";

const DEFAULT_FILE = "/state/multipooler/topology.db";
const ADDRESSES = "topo-global-server-addresses";

const directory = mkdtempSync(join(tmpdir(), "multipooler topology "));
afterAll(() => rmSync(directory, { recursive: true }));

function file(name: string, content: string): string {
  const path = join(directory, name);
  writeFileSync(path, content);
  return path;
}

function target(flags: Readonly<Record<string, string>> = {}): TopologyTarget {
  return topologyTarget(
    resolveSettings(topologyTargetSettings, { flags, env: {}, file: readSettingsFile({}) }),
    DEFAULT_FILE,
  );
}

function problems(flags: Readonly<Record<string, string>>): readonly string[] {
  try {
    target(flags);
  } catch (error) {
    if (error instanceof ConfigError) {
      return error.problems;
    }
    throw error;
  }
  return [];
}

test("without settings it is the file of the user, with Multigres' roots", () => {
  expect(target()).toEqual({
    server: { type: "sqlite", file: DEFAULT_FILE },
    globalRoot: "/multigres/global",
    homeCell: { name: "zone1", serverAddresses: [], root: "/multigres/zone1" },
  });
});

test("the file of the user is where the XDG specification has state", () => {
  expect(defaultTopologyFile({}, "/home/me")).toBe("/home/me/.local/state/multipooler/topology.db");
  expect(defaultTopologyFile({ XDG_STATE_HOME: "/state" }, "/home/me")).toBe(DEFAULT_FILE);
  expect(defaultTopologyFile({ XDG_STATE_HOME: "relative" }, "/home/me")).toBe(
    "/home/me/.local/state/multipooler/topology.db",
  );
});

test.each([
  ["localhost:2379", ["localhost:2379"]],
  ["10.0.0.1:2379, 10.0.0.2:2379", ["10.0.0.1:2379", "10.0.0.2:2379"]],
  ["https://etcd.example.com:2379", ["https://etcd.example.com:2379"]],
  ["[::1]:2379", ["[::1]:2379"]],
])("addresses alone, %s, mean etcd, as they do for Multigres", (list, addresses) => {
  expect(target({ [ADDRESSES]: list })).toMatchObject({
    server: { type: "etcd", addresses, tls: undefined, credentials: undefined },
    homeCell: { serverAddresses: addresses },
  });
});

test("a path alone means a file, and one with a comma is one file", () => {
  expect(target({ [ADDRESSES]: "/a,b/c.db" }).server).toEqual({
    type: "sqlite",
    file: "/a,b/c.db",
  });
});

test("the cell is beside the global root unless it has a root of its own", () => {
  expect(target({ cell: "z", "topo-global-root": "/other/global" }).homeCell.root).toBe("/other/z");
  expect(target({ cell: "z", "topo-global-root": "/global" }).homeCell.root).toBe("/z");
  expect(target({ cell: "z", "topo-global-root": "global" }).homeCell.root).toBe("z");
  expect(target({ cell: "z", "topo-cell-root": "/mine" }).homeCell.root).toBe("/mine");
});

test("TLS files and a password file are checked and read at the start", () => {
  const ca = file("ca.pem", "");
  const cert = file("cert.pem", "");
  const key = file("key.pem", "");
  const password = file("password", "secret\n");
  const flags = {
    [ADDRESSES]: "localhost:2379",
    "topo-etcd-tls-ca": ca,
    "topo-etcd-tls-cert": cert,
    "topo-etcd-tls-key": key,
    "topo-etcd-username": "pooler",
    "topo-etcd-password": "other",
    "topo-etcd-password-file": password,
  };
  expect(target(flags).server).toMatchObject({
    tls: { caFile: ca, certFile: cert, keyFile: key },
    credentials: { username: "pooler", password: "secret" },
  });
});

const ETCD = { "topo-implementation": "etcd", [ADDRESSES]: "localhost:2379" };
const absent = join(directory, "absent");

test.each<[string, Record<string, string>, readonly string[]]>([
  [
    "etcd without addresses",
    { "topo-implementation": "etcd" },
    ["--topo-global-server-addresses: etcd needs its endpoints, e.g. 127.0.0.1:2379"],
  ],
  [
    "an endpoint without a port among others",
    { [ADDRESSES]: "a:1,b" },
    ['--topo-global-server-addresses: "b" is not host:port'],
  ],
  [
    "what may be a host or a file",
    { [ADDRESSES]: "localhost" },
    [
      '--topo-global-server-addresses: "localhost" is neither host:port nor a path with a slash; say with --topo-implementation what it is',
    ],
  ],
  [
    "an address for sqlite",
    { "topo-implementation": "sqlite", [ADDRESSES]: "localhost:2379" },
    [
      '--topo-global-server-addresses: "localhost:2379" is an address, and sqlite needs the path of a file',
    ],
  ],
  [
    "an address for memory",
    { "topo-implementation": "memory", [ADDRESSES]: "localhost:2379" },
    ["--topo-global-server-addresses: a topology in memory has no address"],
  ],
  [
    "etcd's settings for a file",
    { "topo-etcd-tls-ca": absent, "topo-etcd-username": "a" },
    [
      "--topo-etcd-tls-ca: is for etcd, and the topology is kept in sqlite",
      "--topo-etcd-username: is for etcd, and the topology is kept in sqlite",
    ],
  ],
  [
    "a certificate without its key",
    { ...ETCD, "topo-etcd-tls-cert": file("lone.pem", "") },
    ["--topo-etcd-tls-cert: needs --topo-etcd-tls-key"],
  ],
  [
    "a key without its certificate",
    { ...ETCD, "topo-etcd-tls-key": file("lone.key", "") },
    ["--topo-etcd-tls-key: needs --topo-etcd-tls-cert"],
  ],
  [
    "files that are not there",
    {
      ...ETCD,
      "topo-etcd-tls-ca": absent,
      "topo-etcd-username": "a",
      "topo-etcd-password-file": absent,
    },
    [
      `--topo-etcd-tls-ca: ${absent}: does not exist`,
      `--topo-etcd-password-file: ${absent}: does not exist`,
    ],
  ],
  [
    "a password without a user",
    { ...ETCD, "topo-etcd-password": "x" },
    ["--topo-etcd-username: is missing, and there is a password for it"],
  ],
  [
    "a user without a password",
    { ...ETCD, "topo-etcd-username": "x" },
    ["--topo-etcd-password-file: is missing, and there is a user for it"],
  ],
])("%s is refused by name", (_what, flags, expected) => {
  expect(problems(flags)).toEqual(expected);
});

test.each(["", "/", "/a/", "/a//b", "a\n"])("%j is no root of keys", (root) => {
  expect(problems({ "topo-global-root": root })).toEqual([
    `--topo-global-root: ${JSON.stringify(root)} must be a key such as /multigres/global, without an empty part or a slash at its end`,
  ]);
});
