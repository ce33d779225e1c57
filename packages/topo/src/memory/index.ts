export { MemoryTopology } from "./memory-topology.ts";
export type { MemoryTopologyOptions } from "./memory-topology.ts";
