import { Database } from "@multipooler/proto/clustermetadata";
import { expect, test } from "vitest";
import { Topology } from "../../src/index.ts";
import type { Backend } from "../../src/index.ts";
import { ROOT } from "./child-topology.ts";
import { RunningChild } from "./run-child.ts";
import type { ChildTopology } from "./run-child.ts";

/** The topology under test, for this process and for its children. */
export interface SharedTopology {
  readonly backend: Backend;
  readonly child: ChildTopology;
  readonly shortestTtlMs: number;
}

/** Declares the tests of processes that share a topology. */
export function testProcesses(shared: () => SharedTopology): void {
  const connect = (): Topology => {
    const { backend, child } = shared();
    return new Topology({ backend, serverAddresses: [child.serverAddress], root: ROOT });
  };

  test("of eight clients in four processes, none loses one of 10,000 increments", async () => {
    const topology = connect();
    await topology.global.databases.create("counter", Database.create({ name: "0" }));
    const processes = Array.from(
      { length: 4 },
      () => new RunningChild("count.ts", shared().child, 1250),
    );
    const codes = await Promise.all(processes.map((child) => child.exitCode()));
    expect(codes).toEqual([0, 0, 0, 0]);
    const { record } = await topology.global.databases.get("counter");
    expect(record.name).toBe("10000");
    await topology.close();
  }, 120_000);

  test("a lock goes to the next waiter when the process that holds it is killed", async () => {
    const { child, shortestTtlMs } = shared();
    await using holder = new RunningChild("hold-lock.ts", child, shortestTtlMs);
    const fence = await holder.lines().next();
    const topology = connect();
    const session = await topology.global.openSession();
    const next = topology.global.lock("path", { session, description: "this process" });
    const current = await topology.global.lockHolder("path");
    expect(current?.description).toMatch(/^process \d+$/u);
    await holder.kill();
    const lock = await next;
    expect(lock.fencingRevision).toBeGreaterThan(BigInt(String(fence.value)));
    await lock.release();
    await session.close();
    await topology.close();
  });

  test("a process that has closed its topology ends", async () => {
    await using child = new RunningChild("use-and-close.ts", shared().child, 0);
    expect(await child.lines().next()).toMatchObject({ value: "closed" });
    const closedAt = Date.now();
    expect(await child.exitCode()).toBe(0);
    expect(Date.now() - closedAt).toBeLessThan(5000);
  });
}
