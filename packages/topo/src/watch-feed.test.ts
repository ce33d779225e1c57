import { setImmediate } from "node:timers/promises";
import fc from "fast-check";
import { expect, test } from "vitest";
import { TopoError, TopoErrorCode } from "./error.ts";
import type { KeyEvent, KeyValue } from "./key-value.ts";
import { WatchFeed } from "./watch-feed.ts";

const away = new TopoError({ code: TopoErrorCode.Unavailable, key: "/", message: "away" });

type Step =
  | { readonly type: "put"; readonly key: string }
  | { readonly type: "remove"; readonly key: string }
  | { readonly type: "replay" | "reset" | "interrupt" | "resume" | "read" };

const key = fc.constantFrom("a", "b", "c");
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ type: fc.constant("put" as const), key }),
  fc.record({ type: fc.constant("remove" as const), key }),
  fc.record({ type: fc.constantFrom("replay", "reset", "interrupt", "resume", "read") }),
);

test("whatever happens and however slowly it is read, the reader ends up with the state", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
      const feed = new WatchFeed();
      const reader = new Reader(feed);
      const server = new Map<string, KeyValue>();
      let version = 0n;
      const entries = (): KeyValue[] => [...server.values()];
      for (const each of steps) {
        version += 1n;
        switch (each.type) {
          case "put": {
            const entry = keyValue(each.key, version);
            server.set(each.key, entry);
            feed.put(entry);
            break;
          }
          case "remove":
            server.delete(each.key);
            feed.remove(each.key);
            break;
          case "replay":
            for (const entry of entries()) {
              feed.put(entry);
            }
            break;
          case "reset":
            feed.reset(entries());
            break;
          case "interrupt":
            feed.interrupt(away);
            break;
          case "resume":
            feed.resume();
            break;
          case "read":
            await reader.read(1);
            break;
        }
      }
      feed.reset(entries());
      await reader.read(Number.POSITIVE_INFINITY);
      expectWellFormed(reader.told);
      expect(stateOf(reader.told)).toEqual(
        new Map([...server].map(([name, entry]) => [name, entry.version])),
      );
    }),
  );
});

test("changes that nobody reads are merged, so that no more waits than there are keys", async () => {
  const feed = new WatchFeed();
  feed.reset([keyValue("a", 1n)]);
  const reader = feed.events(undefined);
  expect(await reader.next()).toMatchObject({ value: { type: "snapshot" } });
  for (let version = 2n; version < 1000n; version += 1n) {
    feed.put(keyValue("a", version));
  }
  feed.put(keyValue("b", 1000n));
  feed.remove("b");
  feed.fail(away);
  expect(await reader.next()).toMatchObject({ value: { type: "put", entry: { version: 999n } } });
  await expect(reader.next()).rejects.toBe(away);
});

test("an abort ends the reading while it waits, and leaves no listener", async () => {
  const feed = new WatchFeed();
  const controller = new AbortController();
  const reader = feed.events(controller.signal);
  const waiting = reader.next();
  controller.abort();
  expect(await waiting).toEqual({ done: true, value: undefined });
});

/** A reader that reads when the test says so. */
class Reader {
  readonly told: KeyEvent[] = [];
  readonly #events: AsyncGenerator<KeyEvent, void>;
  #pending: Promise<IteratorResult<KeyEvent, void>> | undefined;

  constructor(feed: WatchFeed) {
    this.#events = feed.events(undefined);
  }

  /** Reads up to `count` events, as far as they are there. */
  async read(count: number): Promise<void> {
    for (let read = 0; read < count; read += 1) {
      this.#pending ??= this.#events.next();
      const result = await Promise.race([this.#pending, setImmediate()]);
      if (result === undefined) {
        return;
      }
      this.#pending = undefined;
      if (result.done !== true) {
        this.told.push(result.value);
      }
    }
  }
}

function expectWellFormed(told: readonly KeyEvent[]): void {
  const states = told.filter(({ type }) => type === "interrupted" || type === "resumed");
  const wanted = states.map((_, index) => (index % 2 === 0 ? "interrupted" : "resumed"));
  expect(states.map(({ type }) => type)).toEqual(wanted);
  const others = told.filter(({ type }) => type !== "interrupted" && type !== "resumed");
  expect(others.map(({ type }) => type === "snapshot")).toEqual(
    others.map((_, index) => index === 0),
  );
}

function stateOf(told: readonly KeyEvent[]): Map<string, bigint> {
  const state = new Map<string, bigint>();
  for (const event of told) {
    if (event.type === "snapshot") {
      for (const entry of event.entries) {
        state.set(entry.key, entry.version);
      }
    } else if (event.type === "put") {
      expect(state.get(event.entry.key)).not.toBe(event.entry.version);
      state.set(event.entry.key, event.entry.version);
    } else if (event.type === "delete") {
      expect(state.delete(event.key)).toBe(true);
    }
  }
  return state;
}

function keyValue(name: string, version: bigint): KeyValue {
  return { key: name, value: new Uint8Array(), version, createVersion: version };
}
