import { ManualClock } from "@multipooler/timing/testing";
import { ID_ComponentType, Topology, ensureCell } from "@multipooler/topo";
import type { CellStore, Session } from "@multipooler/topo";
import { MemoryTopology } from "@multipooler/topo/memory";
import fc from "fast-check";
import { expect, test } from "vitest";
import { ManagerErrorCode } from "../manager-error.ts";
import { NameClaim } from "./name-claim.ts";
import { PoolerType } from "./pooler-type.ts";

const IDENTITY = { cell: "zone1", name: "a" };
const id = { component: ID_ComponentType.MULTIPOOLER, ...IDENTITY };

/** Three processes that want one name, on a store that a test breaks. */
class World {
  readonly clock = new ManualClock();
  readonly backend = new MemoryTopology({ clock: this.clock });
  readonly topology = new Topology({
    backend: this.backend,
    serverAddresses: ["memory"],
    root: "/global",
    clock: this.clock,
  });
  readonly sessions: Session[][] = [[], [], []];
  readonly claims: NameClaim[] = [0, 1, 2].map((index) => this.#claim(index));

  get cell(): CellStore {
    return this.topology.cell("zone1");
  }

  /** Whether the claim was granted. */
  async hold(index: number): Promise<boolean> {
    try {
      await this.claims[index]?.hold(new AbortController().signal);
      return true;
    } catch {
      return false;
    }
  }

  #claim(index: number): NameClaim {
    const { cell, clock } = this;
    return new NameClaim({
      cell: {
        owners: cell.owners,
        openSession: async (options) => {
          const session = await cell.openSession(options);
          this.sessions[index]?.push(session);
          return session;
        },
      },
      pooler: {
        identity: IDENTITY,
        shard: { database: "app", tableGroup: "default", shard: "0-inf" },
        initialType: PoolerType.Primary,
        hostname: `db${index}.example`,
        ports: () => ({ grpc: index }),
      },
      clock,
      onLost: () => undefined,
    });
  }
}

async function world(): Promise<World> {
  const made = new World();
  await ensureCell(made.topology, { name: "zone1", serverAddresses: [], root: "/zone1" });
  // The cell is located once: its record may go afterwards.
  await made.cell.owners.list();
  return made;
}

type Step =
  | { readonly type: "hold" | "release" | "lose session"; readonly index: number }
  | { readonly type: "advance"; readonly ms: number }
  | { readonly type: "empty store" | "cut off" | "reconnect" };

const index = fc.nat({ max: 2 });
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ type: fc.constant("hold" as const), index }) },
  fc.record({ type: fc.constantFrom("release" as const, "lose session" as const), index }),
  fc.record({ type: fc.constant("advance" as const), ms: fc.nat({ max: 20_000 }) }),
  fc.record({
    type: fc.constantFrom("cut off" as const, "reconnect" as const, "empty store" as const),
  }),
);

test("a claim that is granted is the owner in the store, and the others can have the name later", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
      const made = await world();
      for (const each of steps) {
        switch (each.type) {
          case "hold": {
            const granted = await made.hold(each.index);
            if (granted) {
              const { record } = await made.cell.owners.get(id);
              expect(made.claims.map((claim) => claim.isOwn(record)).indexOf(true)).toBe(
                each.index,
              );
            }
            const claim = made.claims[each.index];
            expect(granted && claim?.otherOwner !== undefined).toBe(false);
            break;
          }
          case "release":
            await made.claims[each.index]?.release(undefined);
            break;
          case "lose session":
            made.sessions[each.index]?.at(-1)?.orphan();
            break;
          case "advance":
            await made.clock.advance(each.ms);
            break;
          case "empty store":
            made.backend.forget();
            break;
          case "cut off":
          case "reconnect":
            made.backend.setReachable(each.type === "reconnect");
            break;
        }
      }
      made.backend.setReachable(true);
      // Once all others gave it up, or their sessions ended, anybody can have it.
      await Promise.all([0, 1].map(async (other) => made.claims[other]?.release(undefined)));
      await made.clock.advance(15_000);
      expect(await made.hold(2)).toBe(true);
      await made.topology.close();
    }),
    { numRuns: 200 },
  );
});

test("a name that another process keeps is contested for 15 s, and then taken", async () => {
  const made = await world();
  expect(await made.hold(0)).toBe(true);
  const refused = made.claims[1]?.hold(new AbortController().signal);
  await expect(refused).rejects.toMatchObject({
    code: ManagerErrorCode.NameInUse,
    message: expect.stringContaining("the pooler at db0.example:0 has used"),
  });
  expect(made.claims[1]?.otherOwner).toMatchObject({ isAlive: false });
  await made.clock.advance(14_999);
  expect(await made.hold(1)).toBe(false);
  expect(made.claims[1]?.otherOwner).toMatchObject({ isAlive: false });
  await made.clock.advance(1);
  expect(await made.hold(1)).toBe(false);
  expect(made.claims[1]?.otherOwner).toMatchObject({ isAlive: true });
  await made.claims[0]?.release(undefined);
  expect(await made.hold(1)).toBe(true);
  expect(made.claims[1]?.otherOwner).toBeUndefined();
  await made.topology.close();
});
