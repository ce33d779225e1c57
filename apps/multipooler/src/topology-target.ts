import { homedir } from "node:os";
import { join, posix, resolve } from "node:path";
import type { Cell } from "@multipooler/proto/clustermetadata";
import { ConfigError } from "./settings/config.ts";
import { etcdServer, isHost, refuseEtcdSettings } from "./etcd-server.ts";
import type { EtcdServer } from "./etcd-server.ts";
import type { SettingValues } from "./settings/setting.ts";
import { settings } from "./settings/settings.ts";
import { topologySettings } from "./settings/topology-settings.ts";

/** The settings that locate the topology. */
export const topologyTargetSettings = { cell: settings.cell, ...topologySettings } as const;
export type TopologyConfig = SettingValues<typeof topologyTargetSettings>;

/** The store of the topology and how to reach it. */
export type TopologyServer =
  | { readonly type: "memory" }
  | { readonly type: "sqlite"; readonly file: string }
  | EtcdServer;

/** The configured topology. */
export interface TopologyTarget {
  readonly server: TopologyServer;
  readonly globalRoot: string;
  /** Written as the record of the configured cell if there is none. */
  readonly homeCell: Cell;
}

/** The default path of a topology in SQLite: the same for all processes of a user. */
export function defaultTopologyFile(
  env: Readonly<Record<string, string | undefined>>,
  home: string,
): string {
  const state = env["XDG_STATE_HOME"] ?? "";
  return join(
    state.startsWith("/") ? state : join(home, ".local", "state"),
    "multipooler",
    "topology.db",
  );
}

/**
 * Validates the settings against each other and reads the files they name.
 *
 * @throws ConfigError naming each setting that is missing, superfluous or contradicts another.
 */
export function topologyTarget(
  config: TopologyConfig,
  defaultFile: string = defaultTopologyFile(process.env, homedir()),
): TopologyTarget {
  const problems: string[] = [];
  const server = serverOf(config, defaultFile, problems);
  if (server === undefined || problems.length > 0) {
    throw new ConfigError(problems);
  }
  const root = config.topoCellRoot ?? posix.join(posix.dirname(config.topoGlobalRoot), config.cell);
  return {
    server,
    globalRoot: config.topoGlobalRoot,
    homeCell: {
      name: config.cell,
      // Multigres' gateways connect to them. An empty list means the servers of the global
      // topology; a file or memory has no address that others could use.
      serverAddresses: server.type === "etcd" ? [...server.addresses] : [],
      root,
    },
  };
}

function serverOf(
  config: TopologyConfig,
  defaultFile: string,
  problems: string[],
): TopologyServer | undefined {
  const addresses = config.topoGlobalServerAddresses;
  const type = config.topoImplementation ?? implementationFor(addresses);
  if (type === undefined) {
    problems.push(
      `--topo-global-server-addresses: ${JSON.stringify(addresses)} is neither host:port nor a path with a slash; say with --topo-implementation what it is`,
    );
    return undefined;
  }
  if (type !== "etcd") {
    refuseEtcdSettings(config, type, problems);
  }
  switch (type) {
    case "memory":
      if (addresses !== undefined) {
        problems.push("--topo-global-server-addresses: a topology in memory has no address");
      }
      return { type };
    case "sqlite":
      if (addresses !== undefined && isHost(addresses)) {
        problems.push(
          `--topo-global-server-addresses: ${JSON.stringify(addresses)} is an address, and sqlite needs the path of a file`,
        );
      }
      return { type, file: resolve(addresses ?? defaultFile) };
    case "etcd":
      return etcdServer(config, problems);
  }
}

/** Multigres only knows etcd, so its command lines give addresses alone. */
function implementationFor(addresses: string | undefined): "etcd" | "sqlite" | undefined {
  if (addresses === undefined) {
    return "sqlite";
  }
  if (addresses.split(",").some((address) => isHost(address.trim()))) {
    return "etcd";
  }
  return addresses.includes("/") ? "sqlite" : undefined;
}
