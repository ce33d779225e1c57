import { MemoryTopology } from "@multipooler/topo/memory";
import { expect, test } from "vitest";
import { Component, NO_TERM } from "../src/terms/consensus-term.ts";
import { RoleSite } from "./role-site.ts";
import { temporaryDir } from "./temporary-dir.ts";

const SHARD = { database: "postgres", tableGroup: "default", shard: "0-inf" };
const C = { component: Component.Multipooler, cell: "zone1", name: "c" } as const;

/** The poolers of one shard, each on a server of its own. */
class Scene implements AsyncDisposable {
  readonly servers: MemoryTopology = new MemoryTopology();
  readonly #parts = new AsyncDisposableStack();

  async site(name: string, isStandby: boolean): Promise<RoleSite> {
    const { path } = this.#parts.use(await temporaryDir());
    const options = { name, isStandby, servers: this.servers };
    return this.#parts.use(await RoleSite.open(path, options));
  }

  /** A primary in term 1, and standbys of it. */
  async shard(...names: readonly string[]): Promise<readonly [RoleSite, ...RoleSite[]]> {
    const primary = await this.site("a", false);
    await primary.recruit(1n);
    const standbys: RoleSite[] = [];
    for (const name of names) {
      const standby = await this.site(name, true);
      await standby.recruit(1n);
      standbys.push(standby);
    }
    return [primary, ...standbys];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#parts.disposeAsync();
  }
}

function required(site: RoleSite | undefined): RoleSite {
  if (site === undefined) {
    throw new Error("no such pooler");
  }
  return site;
}

/** Sets a term that is nobody's yet. */
async function recruit({ fixture }: RoleSite, number: bigint): Promise<void> {
  await fixture.manager.consensus.setTerm({ ...NO_TERM, number });
}

async function holderOf({ fixture }: RoleSite): Promise<unknown> {
  const { record } = await fixture.topology.global.primaries.get(SHARD);
  return record.primary?.pooler.name;
}

test.each([
  ["has not heard of", false],
  ["has heard of", true],
])(
  "a promotion that hangs takes no shard from the primary of a newer term that it %s",
  async (_, isHeard) => {
    await using scene = new Scene();
    const [a, b, c] = (await scene.shard("b", "c")).map(required);
    const [first, second, third] = [required(a), required(b), required(c)];
    await first.roles.demote({ term: 2n });
    await recruit(second, 2n);
    const held = Promise.withResolvers<void>();
    second.replication.held = held.promise;
    const promotion = second.roles.promote({ term: 2n }).catch((error: unknown) => error);
    await expect.poll(() => second.replication.calls).toContain("promote");
    await recruit(third, 3n);
    await third.roles.promote({ term: 3n });
    if (isHeard) {
      const late = second.fixture.manager.consensus.beginTerm(
        { term: 3n, candidate: C },
        { signal: AbortSignal.abort() },
      );
      await expect(late).rejects.toMatchObject({ code: "LOCK_NOT_ACQUIRED" });
    }
    held.resolve();
    await promotion;
    await second.settled();
    expect(await holderOf(third)).toBe("c");
    expect(third.state).toBe("PRIMARY: PRIMARY SERVING");
    expect(second.fixture.controller.calls).not.toContain("PRIMARY SERVING");
  },
);

test("a promotion in the term of another primary changes nothing, PostgreSQL least of all", async () => {
  await using scene = new Scene();
  const [, second, third] = (await scene.shard("b", "c")).map(required);
  const [b, c] = [required(second), required(third)];
  await recruit(b, 2n);
  await b.roles.promote({ term: 2n });
  await recruit(c, 2n);
  await expect(c.roles.promote({ term: 2n })).rejects.toMatchObject({
    code: "FAILED_PRECONDITION",
  });
  expect(c.replication.calls).toEqual([]);
  expect(c.state).toBe("REPLICA: REPLICA SERVING_RDONLY");
  expect(await holderOf(b)).toBe("b");
});

test("a demotion is not undone once the successor has claimed the shard, killed as it may be", async () => {
  await using scene = new Scene();
  const [first, second] = (await scene.shard("b")).map(required);
  const [a, b] = [required(first), required(second)];
  await a.roles.demote({ term: 2n });
  await recruit(b, 2n);
  b.replication.faults.set("promote", new Error("killed"));
  await expect(b.roles.promote({ term: 2n })).rejects.toThrow("killed");
  a.replication.calls.length = 0;
  await expect(a.roles.undoDemote()).rejects.toMatchObject({ code: "FAILED_PRECONDITION" });
  expect(a.replication.calls).toEqual([]);
  expect(a.state).toBe("REPLICA: REPLICA SERVING_RDONLY");
  // Its own promotion goes on.
  await b.roles.promote({ term: 2n });
  expect(b.state).toBe("PRIMARY: PRIMARY SERVING");
});

test("a promotion whose term a demotion was undone in is refused before PostgreSQL is promoted", async () => {
  await using scene = new Scene();
  const [first, second] = (await scene.shard("b")).map(required);
  const [a, b] = [required(first), required(second)];
  await a.roles.demote({ term: 2n });
  await recruit(b, 2n);
  await a.roles.undoDemote();
  await expect(b.roles.promote({ term: 2n })).rejects.toMatchObject({
    code: "FAILED_PRECONDITION",
  });
  expect(b.replication.calls).toEqual([]);
  expect(a.state).toBe("PRIMARY: PRIMARY SERVING");
});
