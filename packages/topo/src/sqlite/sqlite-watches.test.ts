import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ManualClock } from "@multipooler/timing/testing";
import { expect, test } from "vitest";
import { TopoError, TopoErrorCode } from "../error.ts";
import type { KeyTable } from "./key-table.ts";
import { SqliteStore } from "./sqlite-store.ts";
import { TopologyFile } from "./topology-file.ts";

/** A file whose disk may be full. */
class CrampedFile extends TopologyFile {
  isFull = false;

  override attempt<T>(kind: "read" | "write", work: (table: KeyTable) => T): T | undefined {
    if (this.isFull && kind === "write") {
      const message = "the disk is full";
      throw new TopoError({ code: TopoErrorCode.Unavailable, key: this.path, message });
    }
    return super.attempt(kind, work);
  }
}

test("a lease that expires while the disk is full ends once there is room", async () => {
  const directory = await mkdtemp(join(tmpdir(), "multipooler watches "));
  const clock = new ManualClock();
  const path = join(directory, "topology.db");
  const file = new CrampedFile({ path, clock, random: () => 1 });
  const store = new SqliteStore({ file, clock });
  const session = await store.openSession({ ttlMs: 1000 });
  await store.create("/key", Buffer.from("value"), { session });
  session.orphan();
  const reader = store.watch("/")[Symbol.asyncIterator]();
  expect(await reader.next()).toMatchObject({ value: { type: "snapshot", entries: [{}] } });
  file.isFull = true;
  await clock.advance(60_000);
  file.isFull = false;
  const gone = reader.next();
  await clock.advance(2000);
  expect(await gone).toMatchObject({ value: { type: "delete", key: "/key" } });
  await reader.return?.();
  await store.close();
  expect(clock.pending).toBe(0);
  await rm(directory, { recursive: true });
});
