import { once } from "node:events";
import { expect, test } from "vitest";
import { TopoErrorCode } from "../error.ts";
import type { OutageFixture, TestSpace } from "./store-fixture.ts";

const UNAVAILABLE = { code: TopoErrorCode.Unavailable };

/** Declares the tests of a server that goes away and comes back. */
export function testOutages(fixture: () => OutageFixture, space: () => TestSpace): void {
  test("a watch goes on across an outage of the server without missing a change", async () => {
    await using own = space();
    const [store, other] = [own.connect(), own.connect()];
    await other.create(`${own.prefix}stays`, bytes("1"));
    await other.create(`${own.prefix}goes`, bytes("1"));
    const watch = own.observe(store);
    await watch.first("snapshot");
    await fixture().goAway();
    expect(await watch.first("interrupted")).toMatchObject({ error: UNAVAILABLE });
    await fixture().comeBack();
    const late = own.connect();
    await late.put(`${own.prefix}stays`, bytes("2"));
    await late.create(`${own.prefix}comes`, bytes("1"));
    await late.delete(`${own.prefix}goes`);
    await watch.until(({ events }) => events.at(-1)?.type === "delete");
    expect(watch.events.some(({ type }) => type === "resumed")).toBe(true);
    expect(Object.fromEntries(watch.state())).toEqual({
      [`${own.prefix}comes`]: "1",
      [`${own.prefix}stays`]: "2",
    });
  });

  test("a watch that begins during an outage begins when the server is back", async () => {
    await using own = space();
    const store = own.connect();
    await fixture().goAway();
    const watch = own.observe(store);
    await watch.first("interrupted");
    await fixture().comeBack();
    await watch.first("snapshot");
    expect(watch.events.map(({ type }) => type)).toEqual(["interrupted", "resumed", "snapshot"]);
  });

  test("during an outage everything fails as unavailable, and afterwards nothing is lost", async () => {
    await using own = space();
    const store = own.connect();
    const key = `${own.prefix}key`;
    const version = await store.create(key, bytes("1"));
    await fixture().goAway();
    await expect(store.get(key)).rejects.toMatchObject({ ...UNAVAILABLE, key });
    await expect(store.list(key)).rejects.toMatchObject(UNAVAILABLE);
    await expect(store.put(key, bytes("2"))).rejects.toMatchObject(UNAVAILABLE);
    await expect(store.delete(key)).rejects.toMatchObject(UNAVAILABLE);
    await expect(store.openSession()).rejects.toMatchObject(UNAVAILABLE);
    await fixture().comeBack();
    expect(await own.connect().get(key)).toMatchObject({ version });
  });

  test("a session is lost when the server is away for longer than its time to live", async () => {
    await using own = space();
    const { shortestTtlMs } = fixture();
    const session = await own.connect().openSession({ ttlMs: shortestTtlMs });
    const openedAt = Date.now();
    const lost = once(session.signal, "abort");
    await fixture().goAway();
    await lost;
    expect(session.signal.reason).toMatchObject({ code: TopoErrorCode.SessionLost });
    // Not later than the server may have ended it.
    expect(Date.now() - openedAt).toBeLessThan(shortestTtlMs * 1.5);
    await fixture().comeBack();
  });

  test("a session and its lock outlast an outage that is shorter than its time to live", async () => {
    await using own = space();
    const { global } = own.topology();
    await using session = await global.openSession({ ttlMs: 30_000 });
    const lock = await global.lock("path", { session, description: "holder" });
    await fixture().goAway();
    await fixture().comeBack();
    const late = own.topology().global;
    expect(await late.lockHolder("path")).toEqual({
      description: "holder",
      fencingRevision: lock.fencingRevision,
    });
    expect(lock.signal.aborted).toBe(false);
  });
}

function bytes(text: string): Uint8Array {
  return Buffer.from(text);
}
