import fc from "fast-check";
import { expect, test } from "vitest";
import { send } from "../../test/borrowing.ts";
import { setUp } from "../../test/scheduler-scene.ts";
import { settled } from "../../test/settled.ts";
import { TestUnit } from "../../test/unit-client.ts";
import { Taint } from "../classification/taint.ts";
import { MultiPoolerError, errorDiagnostic } from "../error.ts";
import type { BackendAccess } from "./backend.ts";
import type { Lease } from "./lease.ts";
import type { UnitKind } from "./unit.ts";

const CAPACITY = 3;
const IDLE_TIMEOUT_MS = 1000;
const WAIT_TIMEOUT_MS = 500;
const REDIAL_DELAY_MS = 100;
const ORIGINS = ["a", "b", "c"];

interface Held {
  readonly unit: TestUnit;
  readonly lease: Lease;
}

/** The scheduler under test together with everything around it. */
class World {
  readonly scene = setUp({
    acceptsAtOnce: false,
    capacity: CAPACITY,
    limit: CAPACITY + 1,
    idleTimeoutMs: IDLE_TIMEOUT_MS,
    maxLifetimeMs: 4500,
    waitTimeoutMs: WAIT_TIMEOUT_MS,
    sharingDepth: 4,
  });
  readonly units: TestUnit[] = [];
  /** In the order of their grants, those of the current step only. */
  granted: TestUnit[] = [];
  access: BackendAccess | "none" = "read-write";

  get waiting(): TestUnit[] {
    return this.units.filter(({ outcome }) => outcome.type === "waiting");
  }

  get held(): Held[] {
    return this.units.flatMap((unit) =>
      unit.outcome.type === "held" ? [{ unit, lease: unit.outcome.lease }] : [],
    );
  }

  submit(origin: string, kind: UnitKind): void {
    const onGranted = (unit: TestUnit): void => void this.granted.push(unit);
    const unit = new TestUnit({ id: this.units.length, origin, kind, onGranted });
    this.units.push(unit);
    this.scene.pool.submit(unit);
  }

  check(): void {
    const { server, share } = this.scene;
    const live = server.live.length;
    const dials = server.dials.length;
    this.#checkHolders();
    expect(live + dials, "sessions and dials within the capacity").toBeLessThanOrEqual(CAPACITY);
    expect(share.used, "places taken in the share").toBe(live + dials);
    for (const { answers } of this.units) {
      expect(answers, "a unit is granted or refused once").toBeLessThanOrEqual(1);
    }
    this.#checkNobodyIsForgotten();
  }

  #checkHolders(): void {
    const byBackend = Map.groupBy(this.held, ({ lease }) => lease.backend);
    for (const holders of byBackend.values()) {
      const kinds = holders.map(({ unit }) => unit.kind);
      if (kinds.includes("exclusive")) {
        expect(kinds, "an exclusive session has one holder").toEqual(["exclusive"]);
      }
      expect(kinds.length, "the depth of a FIFO").toBeLessThanOrEqual(4);
      const waits = kinds.filter((kind) => kind === "mayWait").length;
      expect(waits, "one unit that may wait at most").toBeLessThanOrEqual(1);
    }
  }

  #checkNobodyIsForgotten(): void {
    const { server, clock, share } = this.scene;
    if (this.waiting.length === 0) {
      return;
    }
    const used = new Set(this.held.map(({ lease }) => lease.backend));
    const unused = server.live.filter((backend) => backend.idle && !used.has(backend));
    expect(unused, "no session is idle while somebody waits").toEqual([]);
    const isAllTaken = server.live.length + server.dials.length >= CAPACITY;
    const isPaused = clock.pending > 0 || share.used >= share.limit;
    const isDialling = server.dials.length > 0;
    expect(isAllTaken || isDialling || isPaused, "a dial is under way or due").toBe(true);
  }
}

/** What a step does to the world, and what must come of it. */
interface Step {
  readonly name: string;
  readonly run: (world: World) => () => void;
}

class StepCommand implements fc.AsyncCommand<object, World> {
  readonly #step: Step;

  constructor(step: Step) {
    this.#step = step;
  }

  check(): boolean {
    return true;
  }

  async run(_: object, world: World): Promise<void> {
    const waitingBefore = world.waiting;
    world.granted = [];
    const verify = this.#step.run(world);
    await settled();
    verify();
    checkTurns(world, waitingBefore);
    world.check();
  }

  toString(): string {
    return this.#step.name;
  }
}

/** Within an origin first come, first served; among origins nobody is passed over twice. */
function checkTurns(world: World, waitingBefore: readonly TestUnit[]): void {
  const waited = world.granted.filter((unit) => waitingBefore.includes(unit));
  for (const origin of ORIGINS) {
    const served = waited.filter((unit) => unit.origin === origin);
    const left = world.waiting.find((unit) => unit.origin === origin);
    for (const { id } of served) {
      expect(id, "first come, first served").toBeLessThan(left?.id ?? Number.POSITIVE_INFINITY);
    }
    if (left === undefined || !waitingBefore.includes(left)) {
      continue;
    }
    for (const other of ORIGINS) {
      const turns = waited.filter((unit) => unit.origin === other).length;
      expect(turns - served.length, "turns ahead of one that waits").toBeLessThanOrEqual(1);
    }
  }
}

const nothing = (): void => undefined;

/** `use` applied to one of `items`, if there is one. */
function onOne<T>(items: readonly T[], index: number, use: (item: T) => () => void): () => void {
  const item = items[index % Math.max(items.length, 1)];
  return item === undefined ? nothing : use(item);
}

const submit = (origin: string, kind: UnitKind): Step => ({
  name: `submit(${origin}, ${kind})`,
  run: (world) => {
    const waited = world.waiting.length > 0;
    world.submit(origin, kind);
    const unit = world.units.at(-1);
    const answers = unit?.answers;
    return () => {
      if (waited) {
        expect(answers, "nobody overtakes those who wait").toBe(0);
      }
    };
  },
});

const release = (index: number): Step => ({
  name: `release(${index})`,
  run: (world) =>
    onOne(world.held, index, ({ unit, lease }) => {
      unit.outcome = { type: "given back" };
      void lease.release();
      void lease.release();
      return nothing;
    }),
});

const taint = (index: number, isClean: boolean): Step => ({
  name: `taint(${index}, ${isClean})`,
  run: (world) =>
    onOne(world.held, index, ({ unit, lease }) => {
      unit.outcome = { type: "given back" };
      const { backend } = lease;
      const shared = world.held.some((other) => other.lease.backend === backend);
      lease.taint(isClean ? Taint.State : Taint.Lasting);
      void lease.release();
      return () => {
        if (!shared && !isClean) {
          expect(backend.idle, "a session with lasting state is not used again").toBe(false);
        }
      };
    }),
});

const discard = (index: number): Step => ({
  name: `discard(${index})`,
  run: (world) =>
    onOne(world.held, index, ({ unit, lease }) => {
      unit.outcome = { type: "given back" };
      lease.discard("broken");
      void lease.release();
      return () => expect(lease.backend.idle).toBe(false);
    }),
});

const lose = (index: number): Step => ({
  name: `lose(${index})`,
  run: (world) =>
    onOne(world.scene.server.live, index, (backend) => {
      backend.lose();
      return nothing;
    }),
});

const answer = (index: number): Step => ({
  name: `answer(${index})`,
  run: (world) =>
    onOne(world.scene.server.live, index, (backend) => {
      for (const request of backend.requests.slice()) {
        request.succeed();
      }
      return nothing;
    }),
});

const ask = (index: number): Step => ({
  name: `ask(${index})`,
  run: (world) =>
    onOne(world.held, index, ({ lease }) => {
      void send(lease.backend, "select 1");
      return nothing;
    }),
});

const withdraw = (index: number): Step => ({
  name: `withdraw(${index})`,
  run: (world) =>
    onOne(world.waiting, index, (unit) => {
      const others = world.waiting.filter((other) => other !== unit);
      expect(world.scene.pool.withdraw(unit)).toBe(true);
      expect(world.scene.pool.withdraw(unit)).toBe(false);
      unit.outcome = { type: "withdrawn" };
      return () => {
        for (const other of world.waiting) {
          expect(others).toContain(other);
        }
      };
    }),
});

const accept = (index: number): Step => ({
  name: `accept(${index})`,
  run: (world) =>
    onOne(world.scene.server.dials, index, (dial) => {
      dial.accept();
      return nothing;
    }),
});

const refuse = (index: number): Step => ({
  name: `refuse(${index})`,
  run: (world) =>
    onOne(world.scene.server.dials, index, (dial) => {
      const { server } = world.scene;
      const before = world.waiting;
      const uncovered = before.slice(server.dials.length - 1);
      const refused = server.live.length > 0 ? uncovered.slice(0, 1) : uncovered;
      dial.refuse();
      return () => {
        for (const { outcome } of refused) {
          expect(outcome).toEqual({ type: "refused", code: "PRE_EXECUTION_UNAVAILABLE" });
        }
        const others = before.filter((unit) => !refused.includes(unit));
        for (const { outcome } of others) {
          // With the refused one before it gone, a unit may have come to its turn.
          expect(["waiting", "held"]).toContain(outcome.type);
        }
      };
    }),
});

const refuseAsFull = (index: number): Step => ({
  name: `refuseAsFull(${index})`,
  run: (world) =>
    onOne(world.scene.server.dials, index, (dial) => {
      const before = world.waiting;
      const { fullCount } = world.scene.share;
      const diagnostic = errorDiagnostic("53300", "sorry, too many clients already");
      dial.refuse(new MultiPoolerError("PRE_EXECUTION_UNAVAILABLE", "full", { diagnostic }));
      return () => {
        expect(world.scene.share.fullCount).toBe(fullCount + 1);
        expect(world.waiting, "a full server refuses nobody").toEqual(before);
      };
    }),
});

const advance = (ms: number): Step => ({
  name: `advance(${ms})`,
  run: (world) => {
    world.scene.clock.step(ms);
    return nothing;
  },
});

const setLimit = (limit: number): Step => ({
  name: `setLimit(${limit})`,
  run: (world) => {
    world.scene.share.limit = limit;
    return nothing;
  },
});

const setAccess = (access: BackendAccess | "none"): Step => ({
  name: `setAccess(${access})`,
  run: (world) => {
    world.access = access;
    world.scene.pool.setAccess(access);
    return () => {
      if (access === "none" && world.waiting.length === 0) {
        const used = new Set(world.held.map(({ lease }) => lease.backend));
        const unused = world.scene.server.live.filter((b) => b.idle && !used.has(b));
        expect(unused, "no idle session is kept").toEqual([]);
      }
    };
  },
});

const which = fc.nat({ max: 5 });
const submits = fc
  .tuple(
    fc.constantFrom(...ORIGINS),
    fc.constantFrom<UnitKind>("exclusive", "exclusive", "shareable", "shareable", "mayWait"),
  )
  .map(([origin, kind]) => submit(origin, kind));
const commands = fc.commands(
  [
    submits,
    submits,
    submits,
    which.map(release),
    which.map(release),
    fc.tuple(which, fc.boolean()).map(([index, isClean]) => taint(index, isClean)),
    which.map(discard),
    which.map(lose),
    which.map(ask),
    which.map(answer),
    which.map(answer),
    which.map(withdraw),
    which.map(accept),
    which.map(accept),
    which.map(refuse),
    which.map(refuseAsFull),
    fc.constantFrom(1, REDIAL_DELAY_MS, WAIT_TIMEOUT_MS, IDLE_TIMEOUT_MS).map(advance),
    fc.nat({ max: CAPACITY + 1 }).map(setLimit),
    fc.constantFrom<BackendAccess | "none">("read-write", "read-only", "none").map(setAccess),
  ].map((steps) => steps.map((step) => new StepCommand(step))),
  { maxCommands: 60, size: "max" },
);

/** Whatever has happened before: everything ends, and everybody is told. */
async function closeAndCheck(world: World): Promise<void> {
  const { pool, server, share, clock } = world.scene;
  const closing = pool.close();
  world.submit("a", "exclusive");
  await settled();
  expect(world.waiting).toEqual([]);
  clock.step(300);
  await closing;
  for (const { unit, lease } of world.held) {
    unit.outcome = { type: "given back" };
    void lease.release();
  }
  expect(server.live).toEqual([]);
  expect(server.dials).toEqual([]);
  expect(share.used).toBe(0);
  expect(share.isWatched).toBe(false);
  expect(clock.pending).toBe(0);
}

test("whatever happens, sessions are never lent twice, lost or too many, and turns are kept", async () => {
  await fc.assert(
    fc.asyncProperty(commands, async (steps) => {
      const world = new World();
      await fc.asyncModelRun(() => ({ model: {}, real: world }), steps);
      await closeAndCheck(world);
    }),
    { numRuns: 300 },
  );
}, 60_000);
