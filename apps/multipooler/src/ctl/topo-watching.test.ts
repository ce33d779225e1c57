import { ID_ComponentType, Multipooler } from "@multipooler/proto/clustermetadata";
import { Topology, TopoErrorCode } from "@multipooler/topo";
import { MemoryTopology } from "@multipooler/topo/memory";
import { expect, test } from "vitest";
import type { TopoEvent } from "./topo-event.ts";
import { recordName, TOPO_KINDS } from "./topo-record.ts";
import type { TopoKind } from "./topo-record.ts";
import { watchTopology } from "./topo-watching.ts";

/** A topology in memory and what a watch on it told. */
class WatchedTopology implements AsyncDisposable {
  readonly servers = new MemoryTopology();
  readonly topology = new Topology({
    backend: this.servers,
    serverAddresses: ["memory"],
    root: "/t/global",
  });
  readonly told: string[] = [];
  readonly #stop = new AbortController();
  #watching: Promise<void> = Promise.resolve();
  #changed = Promise.withResolvers<void>();

  watch(kinds: readonly TopoKind[]): void {
    this.#watching = watchTopology({
      topology: this.topology,
      kinds,
      onEvent: async (event) => {
        this.told.push(words(event));
        this.#changed.resolve();
        this.#changed = Promise.withResolvers();
      },
      signal: this.#stop.signal,
    });
    this.#watching.catch(() => undefined);
  }

  /** Resolves once everything was told in any order; rejects when the watch fails before. */
  async untilTold(...lines: readonly RegExp[]): Promise<void> {
    while (!lines.every((line) => this.told.some((told) => line.test(told)))) {
      await Promise.race([this.#changed.promise, this.#watching]);
    }
  }

  /** Aborts the watch and resolves once it has ended. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#watching;
  }

  async addCell(name: string): Promise<void> {
    await this.topology.global.cells.create(name, {
      name,
      serverAddresses: [],
      root: `/t/${name}`,
    });
  }

  async addPooler(cell: string, name: string): Promise<void> {
    const id = { component: ID_ComponentType.MULTIPOOLER, cell, name };
    await this.topology.cell(cell).poolers.create(id, Multipooler.fromPartial({ id }));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#watching.catch(() => undefined);
    await this.topology.close();
  }
}

function words(event: TopoEvent): string {
  switch (event.type) {
    case "found":
    case "written":
      return `${event.type} ${event.record.kind} ${recordName(event.record)}`;
    case "deleted":
    case "ended":
    case "damaged":
      return `${event.type} ${event.kind} ${recordName(event)}`;
    case "away":
    case "back":
      return `${event.type} ${event.kind}`;
  }
}

test("what is there comes as found, what happens later as it happens", async () => {
  await using watched = new WatchedTopology();
  await watched.addCell("east");
  await watched.addPooler("east", "a");
  watched.watch(TOPO_KINDS);
  await watched.untilTold(/^found cell east$/, /^found pooler multipooler-east-a$/);
  await watched.addPooler("east", "b");
  await watched.topology.global.databases.create("app", {
    name: "app",
    backupLocation: undefined,
    cells: [],
    bootstrapDurabilityPolicy: undefined,
  });
  await watched.untilTold(/^written pooler multipooler-east-b$/, /^written database app$/);
  await watched.topology.global.databases.delete("app");
  await expect(watched.untilTold(/^deleted database app$/)).resolves.toBeUndefined();
});

test("the poolers of a cell that comes later are watched too, when only poolers are asked for", async () => {
  await using watched = new WatchedTopology();
  watched.watch(["pooler"]);
  await watched.addCell("west");
  await watched.addPooler("west", "a");
  await watched.untilTold(/^(?:found|written) pooler multipooler-west-a$/);
  expect(watched.told.filter((line) => line.includes("cell"))).toEqual([]);
});

test("that a pooler ends is told, whatever its record says", async () => {
  await using watched = new WatchedTopology();
  await watched.addCell("east");
  await watched.addPooler("east", "a");
  const store = watched.topology.cell("east");
  const session = await store.openSession();
  const id = { component: ID_ComponentType.MULTIPOOLER, cell: "east", name: "a" };
  const process = { space: "", pid: 1, startTime: "" };
  await store.owners.create(
    id,
    { run: "r", address: "h:1", since: new Date(0), process },
    { session },
  );
  watched.watch(["pooler"]);
  await watched.untilTold(/^found pooler multipooler-east-a$/);
  await session.close();
  await watched.untilTold(/^ended pooler multipooler-east-a$/);
  expect(watched.told.filter((line) => line.startsWith("written"))).toEqual([]);
});

test("a topology that is away from the start ends the watch with the reason", async () => {
  await using watched = new WatchedTopology();
  watched.servers.setReachable(false);
  watched.watch(TOPO_KINDS);
  await expect(watched.untilTold(/^never$/)).rejects.toMatchObject({
    code: TopoErrorCode.Unavailable,
  });
});

test("a topology that goes away later is waited for", async () => {
  await using watched = new WatchedTopology();
  await watched.addCell("east");
  await watched.addPooler("east", "a");
  watched.watch(TOPO_KINDS);
  await watched.untilTold(/^found pooler multipooler-east-a$/);
  watched.servers.setReachable(false);
  await watched.untilTold(/^away cell$/, /^away database$/, /^away pooler$/);
  watched.servers.setReachable(true);
  await watched.untilTold(/^back cell$/, /^back database$/, /^back pooler$/);
  await watched.addPooler("east", "b");
  const written = watched.untilTold(/^written pooler multipooler-east-b$/);
  await expect(written).resolves.toBeUndefined();
});

test("an abort ends the watch without an error, also before it begins", async () => {
  await using watched = new WatchedTopology();
  await watched.addCell("east");
  watched.watch(TOPO_KINDS);
  await watched.untilTold(/^found cell east$/);
  await watched.stop();
  const told = watched.told.length;
  watched.watch(TOPO_KINDS);
  await watched.stop();
  expect(watched.told).toHaveLength(told);
});
