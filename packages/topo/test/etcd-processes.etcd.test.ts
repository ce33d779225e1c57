import { startEtcd } from "@multipooler/embedded-etcd";
import type { EmbeddedEtcd } from "@multipooler/embedded-etcd";
import { afterAll, beforeAll } from "vitest";
import { EtcdBackend } from "../src/etcd/index.ts";
import { testProcesses } from "./child/test-processes.ts";

let etcd: EmbeddedEtcd;
beforeAll(async () => {
  etcd = await startEtcd();
});
afterAll(() => etcd[Symbol.asyncDispose]());

testProcesses(() => ({
  backend: new EtcdBackend(),
  child: { backend: "etcd", serverAddress: etcd.address },
  shortestTtlMs: 2000,
}));
