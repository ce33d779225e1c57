import { ID_ComponentType, Multipooler } from "@multipooler/proto/clustermetadata";
import type { Cell, Database, ID } from "@multipooler/proto/clustermetadata";
import { describe, expect, test } from "vitest";
import { TopoErrorCode } from "../error.ts";
import type { RecordEvent } from "../records.ts";
import { ensureCell } from "../topology.ts";
import type { Topology } from "../topology.ts";
import type { TestSpace } from "./store-fixture.ts";

/** Declares the tests of typed records. */
export function testRecords(space: () => TestSpace): void {
  describe("records", () => {
    test("records are under the keys by which Multigres finds them", async () => {
      await using own = space();
      const topology = own.topology();
      await ensureCell(topology, cell(own));
      await topology.global.databases.create("app", database());
      await topology.cell("zone1").poolers.create(id("a"), pooler("a"));
      const keys = (await own.connect().list(own.prefix)).map(({ key }) => key);
      expect(keys).toEqual([
        `${own.prefix}global/cells/zone1/Cell`,
        `${own.prefix}global/databases/app/Database`,
        `${own.prefix}zone1/poolers/multipooler-zone1-a/Pooler`,
      ]);
    });

    test("a record is read, replaced, listed and deleted by its versions", async () => {
      await using own = space();
      const { databases } = own.topology().global;
      const first = await databases.create("app", database());
      await expect(databases.create("app", database())).rejects.toMatchObject({
        code: TopoErrorCode.NodeExists,
      });
      const key = `${own.prefix}global/databases/app/Database`;
      expect(await databases.get("app")).toEqual({ key, record: database(), version: first });
      const changed = { ...database(), cells: ["zone1", "zone2"] };
      const second = await databases.replace("app", changed, { version: first });
      await expect(databases.delete("app", { version: first })).rejects.toMatchObject({
        code: TopoErrorCode.BadVersion,
      });
      expect(await databases.list()).toEqual({
        records: [{ key, record: changed, version: second }],
        error: undefined,
      });
      await databases.delete("app", { version: second });
      await expect(databases.get("app")).rejects.toMatchObject({
        code: TopoErrorCode.NoNode,
        key,
      });
    });

    test("a shard has one key, whatever the names have in them, and its state comes back whole", async () => {
      await using own = space();
      const { primaries } = own.topology().global;
      const shard = { database: "a,b", tableGroup: "50%/x", shard: "-80" };
      const state = {
        primary: {
          pooler: { cell: "zone1", name: "a" },
          address: "db1:5000",
          server: "7:1",
          place: "db1:5432",
          since: new Date(0),
        },
        cluster: {
          systemIdentifier: 7_481_234_567_890_123_456n,
          timeline: 3,
          history: [
            { timeline: 1, end: 0x30000a0n },
            { timeline: 2, end: 0x1f_00000060n },
          ],
        },
        term: { number: 9_007_199_254_740_993n, leader: { cell: "zone1", name: "a" } },
      };
      await primaries.create(shard, state);
      expect(await primaries.get(shard)).toMatchObject({
        key: `${own.prefix}global/primaries/a%2Cb,50%25%2Fx,-80/Primary`,
        record: state,
      });
      await expect(primaries.create(shard, state)).rejects.toMatchObject({
        code: TopoErrorCode.NodeExists,
      });
      const cluster = { ...state.cluster, history: undefined };
      const left = { primary: undefined, cluster, term: state.term };
      await primaries.update(shard, () => left);
      expect((await primaries.get(shard)).record).toEqual(left);
    });

    test("the state of a shard from before there were terms has none", async () => {
      await using own = space();
      const { primaries } = own.topology().global;
      const shard = { database: "app", tableGroup: "default", shard: "0-inf" };
      const claimant = { cell: "zone1", name: "a" };
      const primary = { address: "db1:5000", server: "7:1", since: "2026-01-02T03:04:05.000Z" };
      const content = Buffer.from(JSON.stringify({ pooler: claimant, ...primary }));
      await own.connect().put(`${own.prefix}global/primaries/app,default,0-inf/Primary`, content);
      expect((await primaries.get(shard)).record).toEqual({
        primary: { pooler: claimant, ...primary, place: "", since: new Date(primary.since) },
        cluster: undefined,
        term: undefined,
      });
    });

    test("an update that meets conflicts is tried again until it holds", async () => {
      await using own = space();
      const topologies = Array.from({ length: 8 }, () => own.topology());
      await topologies[0]?.global.databases.create("app", database());
      const add = async ({ global }: Topology, name: string): Promise<void> => {
        await global.databases.update("app", (found) => ({
          ...found,
          cells: [...found.cells, name],
        }));
      };
      await Promise.all(topologies.map((topology, index) => add(topology, `zone${index}`)));
      const { record } = await own.topology().global.databases.get("app");
      expect(record.cells.toSorted()).toEqual(topologies.map((_, index) => `zone${index}`));
    });

    test("an update that changes nothing writes nothing, and one of nothing fails", async () => {
      await using own = space();
      const { databases } = own.topology().global;
      const version = await databases.create("app", database());
      expect(await databases.update("app", () => undefined)).toEqual({
        record: database(),
        version,
      });
      const missing = databases.update("other", (found) => found);
      await expect(missing).rejects.toMatchObject({ code: TopoErrorCode.NoNode });
    });

    test("a watch tells records, also of one only, and what is none", async () => {
      await using own = space();
      const topology = own.topology();
      await ensureCell(topology, cell(own));
      const { poolers } = topology.cell("zone1");
      await poolers.create(id("a"), pooler("a"));
      const key = `${own.prefix}zone1/poolers/multipooler-zone1-a/Pooler`;
      const reader = poolers.watch({ id: id("a") })[Symbol.asyncIterator]();
      expect(await next(reader)).toMatchObject({ type: "snapshot", entries: [{ key }] });
      await poolers.create(id("ab"), pooler("ab"));
      await poolers.update(id("a"), (found) => ({ ...found, hostname: "elsewhere" }));
      expect(await next(reader)).toMatchObject({
        type: "put",
        key,
        record: { hostname: "elsewhere" },
      });
      await own.connect().put(key, Buffer.from("no record"));
      expect(await next(reader)).toMatchObject({
        type: "invalid",
        key,
        error: { code: TopoErrorCode.InvalidRecord },
      });
      const { records, error } = await poolers.list();
      expect(records.map(({ record }) => record.id?.name)).toEqual(["ab"]);
      expect(error).toMatchObject({ code: TopoErrorCode.PartialResult });
      await poolers.delete(id("a"));
      expect(await next(reader)).toEqual({ type: "delete", key });
      await reader.return?.();
    });

    test("a cell is where its record says, and nowhere without one", async () => {
      await using own = space();
      const topology = own.topology();
      await expect(topology.cell("zone1").poolers.list()).rejects.toMatchObject({
        code: TopoErrorCode.NoNode,
        key: `${own.prefix}global/cells/zone1/Cell`,
      });
      await ensureCell(topology, cell(own));
      expect(await topology.cell("zone1").poolers.list()).toEqual({
        records: [],
        error: undefined,
      });
    });

    test("a cell is made once, and stays as it was made", async () => {
      await using own = space();
      const topology = own.topology();
      expect(await ensureCell(topology, cell(own))).toEqual({ record: cell(own), created: true });
      expect(await ensureCell(topology, { ...cell(own), root: "/elsewhere" })).toEqual({
        record: cell(own),
        created: false,
      });
    });

    test("of clients that make a cell at the same time one does, and all have its record", async () => {
      await using own = space();
      const made = await Promise.all(
        ["a", "b", "c", "d"].map((root) =>
          ensureCell(own.topology(), { ...cell(own), root: `${own.prefix}${root}` }),
        ),
      );
      const [winner, ...others] = made.filter(({ created }) => created);
      expect(others).toEqual([]);
      for (const { record } of made) {
        expect(record).toEqual(winner?.record);
      }
    });

    test("the home cell is made with its first use, another one is not", async () => {
      await using own = space();
      const topology = own.topology({ homeCell: cell(own) });
      expect(await own.connect().list(own.prefix)).toEqual([]);
      await expect(topology.cell("zone2").poolers.list()).rejects.toMatchObject({
        code: TopoErrorCode.NoNode,
      });
      await topology.cell("zone1").poolers.create(id("a"), pooler("a"));
      expect((await topology.global.cells.list()).records).toMatchObject([{ record: cell(own) }]);
    });

    test("a record that cannot be encoded is refused before anything is written", async () => {
      await using own = space();
      const topology = own.topology();
      await ensureCell(topology, cell(own));
      const { poolers } = topology.cell("zone1");
      const impossible = { ...pooler("a"), portMap: { grpc: 2 ** 40 } };
      await expect(poolers.create(id("a"), impossible)).rejects.toMatchObject({
        code: TopoErrorCode.InvalidArgument,
      });
      expect((await poolers.list()).records).toEqual([]);
    });

    test("a name that is no segment of a key is refused before anything is written", async () => {
      await using own = space();
      const { databases } = own.topology().global;
      for (const name of ["", "a/b", ".", "..", "a\u0000"]) {
        await expect(databases.create(name, database())).rejects.toMatchObject({
          code: TopoErrorCode.InvalidArgument,
        });
      }
      expect(await own.connect().list(own.prefix)).toEqual([]);
    });
  });
}

function cell({ prefix, fixture }: TestSpace): Cell {
  return {
    name: "zone1",
    serverAddresses: [...fixture.serverAddresses],
    root: `${prefix}zone1`,
  };
}

function database(): Database {
  return {
    name: "app",
    backupLocation: undefined,
    cells: [],
    bootstrapDurabilityPolicy: undefined,
  };
}

function id(name: string): ID {
  return { component: ID_ComponentType.MULTIPOOLER, cell: "zone1", name };
}

function pooler(name: string): Multipooler {
  return {
    ...Multipooler.create(),
    id: id(name),
    hostname: "localhost",
    portMap: { grpc: 15_432 },
  };
}

async function next<T>(reader: AsyncIterator<RecordEvent<T>>): Promise<RecordEvent<T>> {
  const result = await reader.next();
  if (result.done === true) {
    throw new Error("the watch has ended");
  }
  return result.value;
}
