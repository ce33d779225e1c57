import { startEtcd } from "@multipooler/embedded-etcd";
import { expect, test } from "vitest";
import { describeCtlTopo } from "./ctl-topo-suite.ts";
import { ctlTopo } from "./ctl-topo.ts";
import { argumentsOf, inEtcd } from "./topology-flags.ts";
import { WatchProcess } from "./watch-process.ts";

describeCtlTopo("etcd", async () => {
  const etcd = await startEtcd();
  return {
    flags: inEtcd(etcd),
    servers: `on ${etcd.address}`,
    [Symbol.asyncDispose]: () => etcd[Symbol.asyncDispose](),
  };
});

test.each(["list", "tree", "watch", "init"])(
  "%s says in one line that etcd is away",
  async (command) => {
    const { code, stdout, stderr } = await ctlTopo(
      { "topo-implementation": "etcd", "topo-global-server-addresses": "127.0.0.1:1" },
      command,
    );
    expect([code, stdout]).toEqual([1, ""]);
    expect(stderr).toMatch(
      /^multipooler: .*no etcd server answers at 127\.0\.0\.1:1 \(see --topo-global-server-addresses\)\n$/,
    );
  },
);

test("watch waits for an etcd that is killed under it, and misses nothing", async () => {
  await using etcd = await startEtcd();
  const flags = inEtcd(etcd);
  await ctlTopo(flags, "init");
  await using watch = new WatchProcess(["ctl", "topo", "watch", "cell", ...argumentsOf(flags)]);
  await watch.line(/found {4}cell/);
  await etcd.kill();
  await watch.line(/away {5}cell/);
  await etcd.start();
  await ctlTopo(flags, "init", "--cell", "zone2");
  await watch.line(/back {5}cell/);
  await watch.line(/new {6}cell {6}zone2/);
  expect(await watch.interrupt()).toBe(0);
});
