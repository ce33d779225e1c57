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
