import { describe, expect, test } from "vitest";
import { TopoErrorCode } from "../error.ts";
import type { TestSpace } from "./store-fixture.ts";

const nothing = new Uint8Array();

/** Declares the tests of sessions. */
export function testSessions(space: () => TestSpace): void {
  describe("sessions", () => {
    test("closing a session deletes its keys, and aborts its signal", async () => {
      await using own = space();
      const [store, other] = [own.connect(), own.connect()];
      const session = await store.openSession();
      await store.create(`${own.prefix}bound`, nothing, { session });
      await store.create(`${own.prefix}free`, nothing);
      const watch = own.observe(other);
      await watch.first("snapshot");
      expect(session.signal.aborted).toBe(false);
      await Promise.all([session.close(), session.close()]);
      expect(session.signal.reason).toMatchObject({ code: TopoErrorCode.Interrupted });
      expect(await watch.first("delete")).toMatchObject({ key: `${own.prefix}bound` });
      expect(await other.get(`${own.prefix}free`)).toBeDefined();
    });

    test("a session is kept alive for longer than its time to live", async () => {
      await using own = space();
      const store = own.connect();
      const { shortestTtlMs: ttlMs } = own.fixture;
      await using session = await store.openSession({ ttlMs });
      await store.create(`${own.prefix}kept`, nothing, { session });
      // The session keeps what an orphan of the same age loses.
      const orphan = await store.openSession({ ttlMs });
      await store.create(`${own.prefix}lost`, nothing, { session: orphan });
      orphan.orphan();
      expect(orphan.signal.reason).toMatchObject({ code: TopoErrorCode.Interrupted });
      const watch = own.observe(own.connect());
      await watch.first("delete");
      expect([...watch.state().keys()]).toEqual([`${own.prefix}kept`]);
      expect(session.signal.aborted).toBe(false);
    });

    test("nothing can be bound to a session that has ended", async () => {
      await using own = space();
      const store = own.connect();
      const session = await store.openSession();
      await session.close();
      const late = store.create(`${own.prefix}late`, nothing, { session });
      await expect(late).rejects.toMatchObject({ code: TopoErrorCode.SessionLost });
      expect(await store.get(`${own.prefix}late`)).toBeUndefined();
    });

    test("a key goes with the session that wrote it last, and stays where none did", async () => {
      await using own = space();
      const store = own.connect();
      const [first, second] = [await store.openSession(), await store.openSession()];
      const [moved, freed] = [`${own.prefix}moved`, `${own.prefix}freed`];
      const version = await store.create(moved, nothing, { session: first });
      await store.create(freed, nothing, { session: first });
      await store.put(moved, nothing, { version, session: second });
      await store.put(freed, nothing);
      await first.close();
      expect(await store.get(moved)).toBeDefined();
      const late = store.put(freed, nothing, { session: first });
      await expect(late).rejects.toMatchObject({ code: TopoErrorCode.SessionLost });
      await second.close();
      expect(await store.get(moved)).toBeUndefined();
      expect(await store.get(freed)).toBeDefined();
    });

    test("closing the store leaves its sessions to expire", async () => {
      await using own = space();
      const store = own.connect();
      const session = await store.openSession({ ttlMs: own.fixture.shortestTtlMs });
      await store.create(`${own.prefix}bound`, nothing, { session });
      const watch = own.observe(own.connect());
      await watch.first("snapshot");
      await store.close();
      expect(session.signal.aborted).toBe(true);
      expect(await watch.first("delete")).toMatchObject({ key: `${own.prefix}bound` });
    });
  });
}
