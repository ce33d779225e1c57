import { describe, expect, test } from "vitest";
import { TopoErrorCode, isTopoError } from "../error.ts";
import type { KeyValueStore } from "../key-value.ts";
import type { TestSpace } from "./store-fixture.ts";

/** Declares the tests of reading and writing keys. */
export function testKeys(space: () => TestSpace): void {
  describe("keys", () => {
    test("a key is created once, and read as it was written by another client", async () => {
      await using own = space();
      const [store, other] = [own.connect(), own.connect()];
      const key = `${own.prefix}key`;
      expect(await other.get(key)).toBeUndefined();
      const version = await store.create(key, bytes("one"));
      expect(await other.get(key)).toMatchObject({ key, version, createVersion: version });
      expect(await textOf(other, key)).toBe("one");
      await expect(other.create(key, bytes("two"))).rejects.toMatchObject({
        code: TopoErrorCode.NodeExists,
        key,
      });
      expect(await textOf(store, key)).toBe("one");
    });

    test("a write over a version fails once the version is another", async () => {
      await using own = space();
      const store = own.connect();
      const key = `${own.prefix}key`;
      const first = await store.create(key, bytes("one"));
      const second = await store.put(key, bytes("two"), { version: first });
      expect(second).toBeGreaterThan(first);
      await expect(store.put(key, bytes("three"), { version: first })).rejects.toMatchObject({
        code: TopoErrorCode.BadVersion,
        key,
      });
      await expect(store.delete(key, { version: first })).rejects.toMatchObject({
        code: TopoErrorCode.BadVersion,
        key,
      });
      expect(await store.get(key)).toMatchObject({ version: second, createVersion: first });
      await store.delete(key, { version: second });
      expect(await store.get(key)).toBeUndefined();
    });

    test("a key that is not there cannot be written over or deleted", async () => {
      await using own = space();
      const store = own.connect();
      const key = `${own.prefix}key`;
      const missing = { code: TopoErrorCode.NoNode, key };
      await expect(store.put(key, bytes("x"), { version: 1n })).rejects.toMatchObject(missing);
      await expect(store.delete(key)).rejects.toMatchObject(missing);
      await expect(store.delete(key, { version: 1n })).rejects.toMatchObject(missing);
      const version = await store.put(key, bytes("x"));
      expect(await store.get(key)).toMatchObject({ version });
    });

    test("a key that comes back after its deletion is a new one, with a greater version", async () => {
      await using own = space();
      const store = own.connect();
      const key = `${own.prefix}key`;
      const before = await store.create(key, bytes("one"));
      await store.delete(key);
      const after = await store.create(key, bytes("two"));
      expect(after).toBeGreaterThan(before);
      expect(await store.get(key)).toMatchObject({ version: after, createVersion: after });
      const stale = store.put(key, bytes("three"), { version: before });
      await expect(stale).rejects.toMatchObject({ code: TopoErrorCode.BadVersion });
    });

    test("a list holds the keys of its prefix and no others, sorted by their bytes", async () => {
      await using own = space();
      const store = own.connect();
      const names = ["b", "a/1", "a", "a0", "é", "\u{1F600}", "\uFFFD", "ab"];
      for (const name of names) {
        await store.create(`${own.prefix}in/${name}`, bytes(name));
      }
      await store.create(`${own.prefix}in`, bytes("out"));
      await store.create(`${own.prefix}in0`, bytes("out"));
      const found = await store.list(`${own.prefix}in/`);
      expect(found.map(({ key }) => key.slice(`${own.prefix}in/`.length))).toEqual([
        "a",
        "a/1",
        "a0",
        "ab",
        "b",
        "é",
        "\uFFFD",
        "\u{1F600}",
      ]);
      expect(await store.list(`${own.prefix}nothing/`)).toEqual([]);
    });

    testSizes(space);
    testEnds(space);
  });
}

function testSizes(space: () => TestSpace): void {
  test("values of up to 1 MiB come back byte for byte, and larger ones are refused", async () => {
    await using own = space();
    const [store, other] = [own.connect(), own.connect()];
    const large = Uint8Array.from({ length: 2 ** 20 }, (_, index) => index % 251);
    await store.create(`${own.prefix}large`, large);
    await store.create(`${own.prefix}empty`, new Uint8Array());
    const read = await other.get(`${own.prefix}large`);
    expect(Buffer.compare(read?.value ?? new Uint8Array(), large)).toBe(0);
    expect((await other.get(`${own.prefix}empty`))?.value).toHaveLength(0);
  });

  test("10,000 keys are listed as of one revision, and watched from there", async () => {
    await using own = space();
    const store = own.connect();
    const keys = Array.from(
      { length: 10_000 },
      (_, i) => `${own.prefix}${String(i).padStart(5, "0")}`,
    );
    while (keys.length > 0) {
      const batch = keys.splice(0, 100);
      await Promise.all(batch.map((key) => store.create(key, Buffer.alloc(300))));
    }
    const found = await store.list(own.prefix);
    expect(found).toHaveLength(10_000);
    const watch = own.observe(own.connect());
    const snapshot = await watch.first("snapshot");
    expect(snapshot.type === "snapshot" && snapshot.entries.length).toBe(10_000);
    await store.put(`${own.prefix}00000`, bytes("changed"));
    await watch.until(({ events }) => events.length === 2);
    expect(watch.events[1]).toMatchObject({ type: "put", entry: { key: `${own.prefix}00000` } });
  });

  test("of eight clients that count together, none loses an increment", async () => {
    await using own = space();
    const key = `${own.prefix}counter`;
    const clients = Array.from({ length: 8 }, () => own.connect());
    await clients[0]?.create(key, bytes("0"));
    await Promise.all(clients.map((store) => increment(store, key, 50)));
    expect(await textOf(own.connect(), key)).toBe("400");
  });
}

function testEnds(space: () => TestSpace): void {
  test("an operation whose signal has aborted does nothing", async () => {
    await using own = space();
    const store = own.connect();
    const key = `${own.prefix}key`;
    const aborted = { code: TopoErrorCode.Interrupted };
    const signal = AbortSignal.abort();
    await expect(store.create(key, bytes("x"), { signal })).rejects.toMatchObject(aborted);
    await expect(store.put(key, bytes("x"), { signal })).rejects.toMatchObject(aborted);
    await expect(store.get(key, { signal })).rejects.toMatchObject(aborted);
    await expect(store.list(key, { signal })).rejects.toMatchObject(aborted);
    await expect(store.delete(key, { signal })).rejects.toMatchObject(aborted);
    await expect(store.openSession({ signal })).rejects.toMatchObject(aborted);
    expect(await store.get(key)).toBeUndefined();
  });

  test("an operation past its deadline says so", async () => {
    await using own = space();
    const signal = AbortSignal.abort(new DOMException("too late", "TimeoutError"));
    const late = own.connect().get(`${own.prefix}key`, { signal });
    await expect(late).rejects.toMatchObject({ code: TopoErrorCode.Timeout });
  });

  test("a closed store refuses everything, and can be closed again", async () => {
    await using own = space();
    const store = own.connect();
    await store.put(`${own.prefix}key`, bytes("x"));
    await Promise.all([store.close(), store.close()]);
    await store.close();
    const closed = { code: TopoErrorCode.Interrupted };
    await expect(store.get(`${own.prefix}key`)).rejects.toMatchObject(closed);
    await expect(store.put(`${own.prefix}key`, bytes("y"))).rejects.toMatchObject(closed);
    await expect(store.openSession()).rejects.toMatchObject(closed);
    expect(await textOf(own.connect(), `${own.prefix}key`)).toBe("x");
  });
}

/** Adds one `times` times, reading again after each conflict. */
async function increment(store: KeyValueStore, key: string, times: number): Promise<void> {
  for (let done = 0; done < times;) {
    const current = await store.get(key);
    const next = bytes(String(Number(Buffer.from(current?.value ?? []).toString()) + 1));
    try {
      await store.put(key, next, { version: current?.version });
      done += 1;
    } catch (error) {
      if (!isTopoError(error, TopoErrorCode.BadVersion)) {
        throw error;
      }
    }
  }
}

function bytes(text: string): Uint8Array {
  return Buffer.from(text);
}

async function textOf(store: KeyValueStore, key: string): Promise<string | undefined> {
  const entry = await store.get(key);
  return entry && Buffer.from(entry.value).toString();
}
