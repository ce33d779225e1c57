import { renameSync, rmSync } from "node:fs";
import { cp, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { ManualClock } from "@multipooler/timing/testing";
import { expect, test } from "vitest";
import { TopoErrorCode } from "../src/index.ts";
import type { KeyEvent, KeyReader, KeyValueStore } from "../src/index.ts";
import { SqliteBackend } from "../src/sqlite/index.ts";
import { temporaryDirectory } from "./temporary-directory.ts";

const VALUE = Buffer.from("value");

test("the file and the folders above it are made with the first use", async () => {
  await using directory = await temporaryDirectory();
  const path = join(directory.path, "not", "yet", "topology.db");
  const store = new SqliteBackend().connect([path]);
  await store.put("/key", VALUE);
  await store.close();
  const again = new SqliteBackend().connect([path]);
  expect(await again.get("/key")).toMatchObject({ key: "/key" });
  await again.close();
});

test("a watch of a file whose folder it makes is woken like any other", async () => {
  await using directory = await temporaryDirectory();
  const path = join(directory.path, "not", "yet", "topology.db");
  // No poll wakes it: this clock stands still.
  const watching = new SqliteBackend({ clock: new ManualClock() }).connect([path]);
  const writing = new SqliteBackend().connect([path]);
  const reader = watching.watch("/")[Symbol.asyncIterator]();
  expect(await nextEvent(reader)).toMatchObject({ type: "snapshot" });
  await writing.put("/key", VALUE);
  expect(await nextEvent(reader)).toMatchObject({ type: "put", entry: { key: "/key" } });
  await reader.return?.();
  await Promise.all([watching.close(), writing.close()]);
});

test("a file that is deleted while it is in use is made again, and what it held is gone", async () => {
  await using directory = await temporaryDirectory();
  const path = join(directory.path, "topology.db");
  const [one, two] = [connect(path), connect(path)];
  await one.put("/kept", VALUE);
  await two.put("/lost", VALUE);
  const reader = one.watch("/")[Symbol.asyncIterator]();
  expect(await nextEvent(reader)).toMatchObject({ type: "snapshot", entries: [{}, {}] });
  removeFile(path);
  // Another value, for the same one under the same revision would be nothing to tell.
  await two.put("/kept", Buffer.from("again"));
  const told = [await nextEvent(reader), await nextEvent(reader)];
  expect(told).toContainEqual({ type: "delete", key: "/lost" });
  expect(await one.list("/")).toEqual(await two.list("/"));
  expect(await two.get("/lost")).toBeUndefined();
  await reader.return?.();
  await Promise.all([one.close(), two.close()]);
});

test("a file that is put back as it was before shows what it held then", async () => {
  await using directory = await temporaryDirectory();
  const path = join(directory.path, "topology.db");
  const before = connect(path);
  await before.put("/key", Buffer.from("old"));
  await before.close();
  await cp(path, `${path}.backup`);
  const store = connect(path);
  await store.put("/key", Buffer.from("new"));
  const reader = store.watch("/")[Symbol.asyncIterator]();
  expect(await nextEvent(reader)).toMatchObject({ type: "snapshot" });
  removeFile(path, ["-wal", "-shm"]);
  renameSync(`${path}.backup`, path);
  expect(await nextEvent(reader)).toMatchObject({ type: "put", entry: { key: "/key" } });
  expect(Buffer.from((await store.get("/key"))?.value ?? []).toString()).toBe("old");
  await reader.return?.();
  await store.close();
});

test("a folder that cannot be made is the fault of the address", async () => {
  await using directory = await temporaryDirectory();
  const file = join(directory.path, "file");
  await writeFile(file, "");
  for (const path of [join(file, "topology.db"), join(file, "below", "topology.db")]) {
    await expect(firstUse(path)).rejects.toMatchObject({
      code: TopoErrorCode.InvalidArgument,
      key: path,
    });
  }
});

test("a list of files is no topology", () => {
  for (const addresses of [[], ["a.db", "b.db"]]) {
    expect(() => new SqliteBackend().connect(addresses)).toThrow(
      "one address, the path of its file",
    );
  }
});

test("a file that is something else is refused, and left as it is", async () => {
  await using directory = await temporaryDirectory();
  const other = join(directory.path, "other.db");
  const newer = join(directory.path, "newer.db");
  const text = join(directory.path, "text.db");
  {
    using database = new DatabaseSync(other);
    database.exec("CREATE TABLE theirs (a)");
  }
  const made = new SqliteBackend().connect([newer]);
  await made.put("/key", VALUE);
  await made.close();
  {
    using database = new DatabaseSync(newer);
    database.exec("PRAGMA user_version = 2");
  }
  await writeFile(
    text,
    "this is no database, but it is long enough to be taken for one".repeat(20),
  );
  await expect(firstUse(other)).rejects.toThrow("the database of another program");
  await expect(firstUse(newer)).rejects.toThrow("has format 2, not 1");
  await expect(firstUse(text)).rejects.toThrow("file is not a database");
  await expect(firstUse(directory.path)).rejects.toMatchObject({
    code: TopoErrorCode.Unavailable,
    key: directory.path,
  });
});

test("a watch of a file that is no topology fails", async () => {
  await using directory = await temporaryDirectory();
  const path = join(directory.path, "other.db");
  {
    using database = new DatabaseSync(path);
    database.exec("CREATE TABLE theirs (a)");
  }
  const store = new SqliteBackend().connect([path]);
  const reader = store.watch("/")[Symbol.asyncIterator]();
  await expect(reader.next()).rejects.toMatchObject({ code: TopoErrorCode.InvalidArgument });
  await store.close();
});

test("a writer that is in the way is waited for without blocking, for 10 s at most", async () => {
  await using directory = await temporaryDirectory();
  const path = join(directory.path, "topology.db");
  const clock = new ManualClock();
  const store = new SqliteBackend({ clock, random: () => 1 }).connect([path]);
  await store.put("/key", VALUE);
  using other = new DatabaseSync(path);
  other.exec("BEGIN IMMEDIATE");
  const written = store.put("/key", Buffer.from("after"));
  await clock.advance(5000);
  // Readers do not wait for writers.
  expect(await textOf(store)).toBe("value");
  other.exec("ROLLBACK");
  await clock.advance(20);
  await written;
  expect(await textOf(store)).toBe("after");

  other.exec("BEGIN IMMEDIATE");
  const late = expect(store.put("/key", VALUE)).rejects.toMatchObject({
    code: TopoErrorCode.Timeout,
    key: "/key",
  });
  await clock.advance(10_000);
  await late;
  const closed = expect(store.put("/key", VALUE)).rejects.toMatchObject({
    code: TopoErrorCode.Interrupted,
  });
  await clock.advance(0);
  await store.close();
  await closed;
  other.exec("ROLLBACK");
  expect(clock.pending).toBe(0);
});

test("a watch that has slept through more deletions than are kept tells what changed all the same", async () => {
  await using directory = await temporaryDirectory();
  const path = join(directory.path, "topology.db");
  const clock = new ManualClock();
  const watching = new SqliteBackend({ clock }).connect([path]);
  const writing = new SqliteBackend().connect([path]);
  await writing.create("/goes", VALUE);
  await writing.create("/stays", VALUE);
  const reader = watching.watch("/")[Symbol.asyncIterator]();
  expect(await reader.next()).toMatchObject({ value: { type: "snapshot", entries: [{}, {}] } });
  using blocking = new DatabaseSync(path);
  blocking.exec("BEGIN IMMEDIATE");
  blocking.exec("DELETE FROM keys WHERE key = '/goes'");
  blocking.exec("UPDATE store SET revision = revision + 2000, forgotten = revision + 1999");
  blocking.exec("COMMIT");
  await clock.advance(2000);
  expect(await nextEvent(reader)).toEqual({ type: "delete", key: "/goes" });
  await reader.return?.();
  await Promise.all([watching.close(), writing.close()]);
  expect(clock.pending).toBe(0);
});

test("deletions are forgotten in time, so that the file does not grow with them", async () => {
  await using directory = await temporaryDirectory();
  const path = join(directory.path, "topology.db");
  const store = new SqliteBackend().connect([path]);
  for (let round = 0; round < 1100; round += 1) {
    await store.create("/key", VALUE);
    await store.delete("/key");
  }
  await store.close();
  using database = new DatabaseSync(path);
  expect(database.prepare("SELECT count(*) AS kept FROM deletions").get()).toEqual({ kept: 1000 });
});

async function firstUse(path: string): Promise<void> {
  const store = new SqliteBackend().connect([path]);
  try {
    await store.get("/key");
  } finally {
    await store.close();
  }
}

async function textOf(store: KeyReader): Promise<string> {
  return Buffer.from((await store.get("/key"))?.value ?? []).toString();
}

async function nextEvent(reader: AsyncIterator<KeyEvent>): Promise<KeyEvent> {
  const result = await reader.next();
  if (result.done === true) {
    throw new Error("the watch has ended");
  }
  return result.value;
}

function connect(path: string): KeyValueStore {
  return new SqliteBackend().connect([path]);
}

/**
 * Deletes the files of a topology, without letting a connection of this process open it in between:
 * SQLite would take the log of one file for that of the next.
 */
function removeFile(path: string, suffixes = ["", "-wal", "-shm"]): void {
  for (const suffix of suffixes) {
    rmSync(`${path}${suffix}`, { force: true });
  }
}
