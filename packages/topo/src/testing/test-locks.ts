import { describe, expect, test } from "vitest";
import { TopoErrorCode } from "../error.ts";
import type { Session } from "../session.ts";
import type { Topology } from "../topology.ts";
import type { TestSpace } from "./store-fixture.ts";

const PATH = "databases/app/default/0-inf";

interface Client {
  readonly topology: Topology;
  readonly session: Session;
}

/** Declares the tests of locks. */
export function testLocks(space: () => TestSpace): void {
  describe("locks", () => {
    test("waiters get a lock in the order of their arrival, with growing fencing revisions", async () => {
      await using own = space();
      const clients = await Promise.all([client(own), client(own), client(own)]);
      const [first, second, third] = clients;
      const order: string[] = [];
      const held = await first.topology.global.lock(PATH, options(first, "first"));
      const second_ = waitFor(own, second, "second", order);
      await queued(own, 2);
      const third_ = waitFor(own, third, "third", order);
      await queued(own, 3);
      expect(await third.topology.global.lockHolder(PATH)).toEqual({
        description: "first",
        fencingRevision: held.fencingRevision,
      });
      order.push("first");
      await held.release();
      await Promise.all([second_, third_]);
      expect(order).toEqual(["first", "second", "third"]);
      expect(await first.topology.global.lockHolder(PATH)).toBeUndefined();
    });

    test("a lock that is held is refused at once, naming its holder", async () => {
      await using own = space();
      const [holder, other] = await Promise.all([client(own), client(own)]);
      await using held = await holder.topology.global.lock(PATH, options(holder, "backup of app"));
      expect(held.signal.aborted).toBe(false);
      const refused = other.topology.global.tryLock(PATH, options(other, "other"));
      await expect(refused).rejects.toMatchObject({ code: TopoErrorCode.NodeExists });
      await expect(refused).rejects.toThrow("backup of app");
      await queued(own, 1);
      await Promise.all([held.release(), held.release()]);
      await using taken = await other.topology.global.tryLock(PATH, options(other, "other"));
      expect(taken.fencingRevision).toBeGreaterThan(held.fencingRevision);
    });

    test("a waiter that gives up leaves nothing behind, and those behind it go on waiting", async () => {
      await using own = space();
      const [first, second, third] = await Promise.all([client(own), client(own), client(own)]);
      const held = await first.topology.global.lock(PATH, options(first, "first"));
      const controller = new AbortController();
      const { signal } = controller;
      const given = second.topology.global.lock(PATH, { ...options(second, "second"), signal });
      await queued(own, 2);
      const waiting = third.topology.global.lock(PATH, options(third, "third"));
      await queued(own, 3);
      controller.abort();
      await expect(given).rejects.toMatchObject({ code: TopoErrorCode.Interrupted });
      await queued(own, 2);
      expect(await third.topology.global.lockHolder(PATH)).toMatchObject({ description: "first" });
      await held.release();
      const next = await waiting;
      expect(next.fencingRevision).toBeGreaterThan(held.fencingRevision);
      await next.release();
      await queued(own, 0);
    });

    test("a session that holds a lock does not lose it to a second attempt of its own", async () => {
      await using own = space();
      const one = await client(own);
      const held = await one.topology.global.lock(PATH, options(one, "first"));
      const controller = new AbortController();
      const { signal } = controller;
      const again = one.topology.global.lock(PATH, { ...options(one, "again"), signal });
      controller.abort();
      await expect(again).rejects.toMatchObject({ code: TopoErrorCode.NodeExists });
      expect(await one.topology.global.lockHolder(PATH)).toMatchObject({ description: "first" });
      await held.release();
      const next = await one.topology.global.lock(PATH, options(one, "next"));
      // A holder that was is not the one that is.
      await held.release();
      expect(await one.topology.global.lockHolder(PATH)).toMatchObject({ description: "next" });
      await next.release();
      await queued(own, 0);
    });

    test("a lock goes to the next waiter when its holder dies", async () => {
      await using own = space();
      const { shortestTtlMs: ttlMs } = own.fixture;
      const [dying, waiting] = await Promise.all([client(own, ttlMs), client(own)]);
      const held = await dying.topology.global.lock(PATH, options(dying, "dying"));
      const next = waiting.topology.global.lock(PATH, options(waiting, "waiting"));
      await queued(own, 2);
      // What a death looks like from outside: no sign of life any more.
      dying.session.orphan();
      expect(held.signal.aborted).toBe(true);
      await using taken = await next;
      expect(taken.fencingRevision).toBeGreaterThan(held.fencingRevision);
      await queued(own, 1);
    });

    test("a waiter whose session ends stops waiting", async () => {
      await using own = space();
      const [holder, waiter] = await Promise.all([client(own), client(own)]);
      await using _held = await holder.topology.global.lock(PATH, options(holder, "holder"));
      const waiting = waiter.topology.global.lock(PATH, options(waiter, "waiter"));
      await queued(own, 2);
      const [ended] = await Promise.allSettled([waiting, waiter.session.close()]);
      expect(ended).toMatchObject({ status: "rejected" });
      await queued(own, 1);
    });

    test("of eight clients, only one is ever inside", async () => {
      await using own = space();
      const clients = await Promise.all(Array.from({ length: 8 }, () => client(own)));
      let inside = 0;
      const fences: bigint[] = [];
      const work = async (one: Client): Promise<void> => {
        await using lock = await one.topology.global.lock(PATH, options(one, "worker"));
        inside += 1;
        expect(inside).toBe(1);
        fences.push(lock.fencingRevision);
        await one.topology.global.lockHolder(PATH);
        inside -= 1;
      };
      await Promise.all(clients.map(work));
      expect(fences).toEqual(fences.toSorted((a, b) => (a < b ? -1 : 1)));
      expect(new Set(fences).size).toBe(8);
    });
  });
}

async function client(own: TestSpace, ttlMs?: number): Promise<Client> {
  const topology = own.topology();
  return { topology, session: await topology.global.openSession({ ttlMs }) };
}

function options(
  { session }: Client,
  description: string,
): { readonly session: Session; readonly description: string } {
  return { session, description };
}

async function waitFor(
  own: TestSpace,
  { topology, session }: Client,
  description: string,
  order: string[],
): Promise<void> {
  const lock = await topology.global.lock(PATH, { session, description });
  order.push(description);
  expect(await own.topology().global.lockHolder(PATH)).toMatchObject({ description });
  await lock.release();
}

/** Resolves once `count` clients hold or await the lock. */
async function queued(own: TestSpace, count: number): Promise<void> {
  const watch = own.observe(own.connect(), `${own.prefix}global/${PATH}/locks/`);
  await watch.until(({ events }) => events.length > 0 && watch.state().size === count);
  await watch.stop();
}
