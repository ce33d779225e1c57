import { MemoryTopology } from "../src/memory/index.ts";
import { describeOutages, describeStore } from "../src/testing/index.ts";
import type { OutageFixture } from "../src/testing/index.ts";

async function start(): Promise<OutageFixture> {
  const topology = new MemoryTopology();
  return {
    backend: topology,
    serverAddresses: ["memory"],
    shortestTtlMs: 300,
    goAway: async () => topology.setReachable(false),
    comeBack: async () => topology.setReachable(true),
    [Symbol.asyncDispose]: async () => {},
  };
}

describeStore("memory", start);
describeOutages("memory", start);
