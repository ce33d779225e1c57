import { Topology } from "@multipooler/topo";
import type { Backend, TopologyOptions, TopoStore } from "@multipooler/topo";
import type { TopologyServer, TopologyTarget } from "./topology-target.ts";

/**
 * Opens the topology. It connects on first use. Only the code of the configured store is loaded.
 */
export async function openTopology(
  { server, globalRoot }: TopologyTarget,
  options: Pick<TopologyOptions, "homeCell"> = {},
): Promise<TopoStore> {
  return new Topology({
    backend: await backendOf(server),
    serverAddresses: addressesOf(server),
    root: globalRoot,
    ...options,
  });
}

async function backendOf(server: TopologyServer): Promise<Backend> {
  switch (server.type) {
    case "memory": {
      const { MemoryTopology } = await import("@multipooler/topo/memory");
      return new MemoryTopology();
    }
    case "sqlite": {
      const { SqliteBackend } = await import("@multipooler/topo/sqlite");
      return new SqliteBackend();
    }
    case "etcd": {
      const { EtcdBackend } = await import("@multipooler/topo/etcd");
      return new EtcdBackend({ tls: server.tls, credentials: server.credentials });
    }
  }
}

function addressesOf(server: TopologyServer): readonly string[] {
  switch (server.type) {
    case "memory":
      return ["memory"];
    case "sqlite":
      return [server.file];
    case "etcd":
      return server.addresses;
  }
}
