import { describe, expect, test } from "vitest";
import { TopoErrorCode } from "../error.ts";
import type { KeyEvent } from "../key-value.ts";
import type { TestSpace } from "./store-fixture.ts";

/** Declares the tests of watching keys. */
export function testWatches(space: () => TestSpace): void {
  describe("watches", () => {
    test("a watch tells what is there, then what another client changes, and nothing else", async () => {
      await using own = space();
      const [store, other] = [own.connect(), own.connect()];
      await other.create(`${own.prefix}in/a`, bytes("1"));
      const watch = own.observe(store, `${own.prefix}in/`);
      await watch.first("snapshot");
      await other.put(`${own.prefix}in/a`, bytes("2"));
      await watch.until(({ events }) => events.length === 2);
      await other.create(`${own.prefix}in0`, bytes("not this one"));
      await other.create(`${own.prefix}in/b`, bytes("3"));
      await watch.until(({ events }) => events.length === 3);
      await other.delete(`${own.prefix}in/a`);
      await watch.until(({ events }) => events.length === 4);
      expect(watch.events.map((event) => brief(event))).toEqual([
        "snapshot a=1",
        "put a=2",
        "put b=3",
        "delete a",
      ]);
    });

    test("a watch of nothing begins with an empty snapshot", async () => {
      await using own = space();
      const watch = own.observe(own.connect());
      expect(await watch.first("snapshot")).toEqual({ type: "snapshot", entries: [] });
    });

    test("a slow reader gets the latest of each key, once", async () => {
      await using own = space();
      const [store, other] = [own.connect(), own.connect()];
      const reader = store.watch(own.prefix)[Symbol.asyncIterator]();
      await reader.next();
      for (let value = 0; value < 100; value += 1) {
        await other.put(`${own.prefix}a`, bytes(`${value}`));
      }
      await other.create(`${own.prefix}gone`, bytes("x"));
      await other.delete(`${own.prefix}gone`);
      const witness = own.observe(store);
      await witness.first("snapshot");
      await other.create(`${own.prefix}last`, bytes("x"));
      await witness.until(({ events }) => events.length === 2);
      // Every change has reached the process of the reader by now.
      const told: string[] = [];
      while (told.at(-1) !== "put last=x") {
        const next = await reader.next();
        if (next.done !== true) {
          told.push(brief(next.value));
        }
      }
      expect(told.findLast((event) => event.startsWith("put a="))).toBe("put a=99");
      expect(told.length).toBeLessThan(10);
      await reader.return?.();
    });

    test("an abort ends a watch without an error, also before its first event", async () => {
      await using own = space();
      const store = own.connect();
      const controller = new AbortController();
      const events: KeyEvent[] = [];
      for await (const event of store.watch(own.prefix, { signal: controller.signal })) {
        events.push(event);
        controller.abort();
      }
      expect(events.map(({ type }) => type)).toEqual(["snapshot"]);
      for await (const event of store.watch(own.prefix, { signal: controller.signal })) {
        events.push(event);
      }
      expect(events).toHaveLength(1);
    });

    test("leaving the loop ends a watch, and the store goes on", async () => {
      await using own = space();
      const store = own.connect();
      for await (const event of store.watch(own.prefix)) {
        expect(event.type).toBe("snapshot");
        break;
      }
      await store.put(`${own.prefix}key`, bytes("x"));
      expect(await own.observe(store).first("snapshot")).toMatchObject({ entries: [{}] });
    });

    test("closing the store ends its watches with an error", async () => {
      await using own = space();
      const store = own.connect();
      const watch = own.observe(store);
      await watch.first("snapshot");
      await store.close();
      await expect(watch.ended()).rejects.toMatchObject({ code: TopoErrorCode.Interrupted });
    });
  });
}

function brief(event: KeyEvent): string {
  const entryOf = ({ key, value }: { key: string; value: Uint8Array }): string =>
    `${key.split("/").at(-1)}=${Buffer.from(value).toString()}`;
  switch (event.type) {
    case "snapshot":
      return `snapshot ${event.entries.map(entryOf).join(" ")}`;
    case "put":
      return `put ${entryOf(event.entry)}`;
    case "delete":
      return `delete ${event.key.split("/").at(-1)}`;
    case "interrupted":
    case "resumed":
      return event.type;
  }
}

function bytes(text: string): Uint8Array {
  return Buffer.from(text);
}
