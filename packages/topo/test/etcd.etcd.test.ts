import { startEtcd } from "@multipooler/embedded-etcd";
import { EtcdBackend } from "../src/etcd/index.ts";
import { describeOutages, describeStore } from "../src/testing/index.ts";
import type { OutageFixture } from "../src/testing/index.ts";

async function start(): Promise<OutageFixture> {
  const etcd = await startEtcd();
  return {
    backend: new EtcdBackend(),
    serverAddresses: [etcd.address],
    // etcd grants no less: one and a half times what an election takes.
    shortestTtlMs: 2000,
    goAway: () => etcd.kill(),
    comeBack: () => etcd.start(),
    [Symbol.asyncDispose]: () => etcd[Symbol.asyncDispose](),
  };
}

describeStore("etcd", start);
describeOutages("etcd", start);
