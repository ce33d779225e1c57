import { Topology, ensureCell } from "@multipooler/topo";
import type { TopoStore } from "@multipooler/topo";
import { MemoryTopology } from "@multipooler/topo/memory";
import type { Config } from "./settings.ts";

/** The roots that Multigres' own tools use, so that they find what is written here. */
const GLOBAL_ROOT = "/multigres/global";

/** Opens the topology that the settings ask for, with the record of this pooler's cell in it. */
export async function openTopology(
  config: Pick<Config, "cell" | "topoImplementation">,
): Promise<TopoStore> {
  switch (config.topoImplementation) {
    case "memory": {
      const topology = new Topology({
        backend: new MemoryTopology(),
        serverAddresses: ["memory"],
        root: GLOBAL_ROOT,
      });
      const root = `/multigres/${config.cell}`;
      await ensureCell(topology, { name: config.cell, serverAddresses: [], root });
      return topology;
    }
  }
}
