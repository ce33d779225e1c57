import { ManualClock } from "@multipooler/timing/testing";
import fc from "fast-check";
import { expect, test } from "vitest";
import { CountingBudget } from "../test/counting-budget.ts";
import { FakeServer } from "../test/fake-server.ts";
import { settled } from "../test/settled.ts";
import { silentLogger } from "../test/silent-logger.ts";
import { Pool } from "./pool.ts";
import type { Lease } from "./lease.ts";
import type { BackendAccess } from "./backend.ts";

const CAPACITY = 3;
const IDLE_TIMEOUT_MS = 1000;
const WAIT_TIMEOUT_MS = 500;
const REDIAL_DELAY_MS = 100;

/** What became of one call of `acquire`, as its caller sees it. */
type Outcome =
  | { type: "waiting" }
  | { type: "held"; lease: Lease }
  | { type: "given back" }
  | { type: "refused"; code: unknown };

interface Borrower {
  readonly id: number;
  readonly controller: AbortController;
  outcome: Outcome;
}

/** The pool under test together with everything around it. */
class World {
  readonly clock = new ManualClock();
  readonly budget = new CountingBudget(CAPACITY + 1);
  readonly server = new FakeServer();
  readonly borrowers: Borrower[] = [];
  readonly pool: Pool;
  access: BackendAccess = "read-write";

  constructor() {
    this.pool = new Pool(
      {
        openBackend: this.server.open,
        capacity: CAPACITY,
        budget: this.budget,
        idleTimeoutMs: IDLE_TIMEOUT_MS,
        maxLifetimeMs: 5000,
        waitTimeoutMs: WAIT_TIMEOUT_MS,
        closeGraceMs: 300,
        clock: this.clock,
        random: () => 0,
        logger: silentLogger,
      },
      this.access,
    );
  }

  get waiting(): Borrower[] {
    return this.borrowers.filter(({ outcome }) => outcome.type === "waiting");
  }

  get leases(): { borrower: Borrower; lease: Lease }[] {
    return this.borrowers.flatMap((borrower) =>
      borrower.outcome.type === "held" ? [{ borrower, lease: borrower.outcome.lease }] : [],
    );
  }

  borrow(): void {
    const controller = new AbortController();
    const borrower: Borrower = {
      id: this.borrowers.length,
      controller,
      outcome: { type: "waiting" },
    };
    this.borrowers.push(borrower);
    this.pool.acquire({ signal: controller.signal }).then(
      (lease) => {
        borrower.outcome = { type: "held", lease };
      },
      (error: unknown) => {
        const code = error instanceof Error && "code" in error ? error.code : undefined;
        borrower.outcome = { type: "refused", code };
      },
    );
  }

  check(): void {
    const live = this.server.live.length;
    const dials = this.server.dials.length;
    const held = this.leases.map(({ lease }) => lease.backend);
    expect(new Set(held).size, "each session has one borrower").toBe(held.length);
    expect(live + dials, "sessions and dials within the capacity").toBeLessThanOrEqual(CAPACITY);
    expect(this.budget.used, "places taken in the budget").toBe(live + dials);
    this.#checkNobodyIsForgotten(live, dials);
  }

  #checkNobodyIsForgotten(live: number, dials: number): void {
    const waiting = this.waiting.length;
    if (waiting === 0) {
      return;
    }
    const held = this.leases.filter(({ lease }) => lease.backend.idle).length;
    expect(live - held, "no session is idle while somebody waits").toBe(0);
    const canDial = Math.min(waiting - dials, CAPACITY - live - dials);
    const hasTimer = this.clock.pending > waiting;
    expect(canDial <= 0 || hasTimer, "a dial is under way or due for who waits").toBe(true);
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
    const verify = this.#step.run(world);
    await settled();
    verify();
    const servedNow = waitingBefore.filter(({ outcome }) => outcome.type === "held");
    const oldestLeft = world.waiting[0]?.id ?? Number.POSITIVE_INFINITY;
    for (const { id } of servedNow) {
      expect(id, "first come, first served").toBeLessThan(oldestLeft);
    }
    world.check();
  }

  toString(): string {
    return this.#step.name;
  }
}

const nothing = (): void => undefined;

/** `use` applied to one of `items`, if there is one. */
function onOne<T>(items: readonly T[], index: number, use: (item: T) => () => void): () => void {
  const item = items[index % Math.max(items.length, 1)];
  return item === undefined ? nothing : use(item);
}

const borrow: Step = {
  name: "borrow",
  run: (world) => {
    const held = new Set(world.leases.map(({ lease }) => lease.backend));
    const canServe = world.server.live.some((backend) => !held.has(backend));
    world.borrow();
    return () => {
      // An idle session may be at the end of its age, so that the borrower waits for a dial.
      if (!canServe) {
        expect(world.borrowers.at(-1)?.outcome.type).toBe("waiting");
      }
    };
  },
};

const release = (index: number): Step => ({
  name: `release(${index})`,
  run: (world) =>
    onOne(world.leases, index, ({ borrower, lease }) => {
      borrower.outcome = { type: "given back" };
      lease.release();
      lease.release();
      return nothing;
    }),
});

const discard = (index: number): Step => ({
  name: `discard(${index})`,
  run: (world) =>
    onOne(world.leases, index, ({ borrower, lease }) => {
      borrower.outcome = { type: "given back" };
      lease.discard("broken");
      lease.release();
      return () => expect(lease.backend.idle).toBe(false);
    }),
});

const lose = (index: number): Step => ({
  name: `lose(${index})`,
  run: (world) =>
    onOne(world.server.live, index, (backend) => {
      backend.lose();
      return nothing;
    }),
});

const abort = (index: number): Step => ({
  name: `abort(${index})`,
  run: (world) =>
    onOne(world.waiting, index, (borrower) => {
      const others = world.waiting.filter((other) => other !== borrower);
      borrower.controller.abort();
      return () => {
        expect(borrower.outcome).toEqual({ type: "refused", code: "CANCELLED" });
        expect(world.waiting).toEqual(others);
      };
    }),
});

const accept = (index: number): Step => ({
  name: `accept(${index})`,
  run: (world) =>
    onOne(world.server.dials, index, (dial) => {
      const [first] = world.waiting;
      const isWelcome = dial.access === world.access && world.budget.used <= world.budget.limit;
      const backend = dial.accept();
      return () => {
        expect(backend.hasEnded).toBe(!isWelcome);
        if (!isWelcome || first === undefined) {
          return;
        }
        expect(first.outcome).toMatchObject({ type: "held", lease: { backend } });
      };
    }),
});

const refuse = (index: number): Step => ({
  name: `refuse(${index})`,
  run: (world) =>
    onOne(world.server.dials, index, (dial) => {
      const uncovered = world.waiting.slice(world.server.dials.length - 1);
      const refused = world.server.live.length > 0 ? uncovered.slice(0, 1) : uncovered;
      const others = world.waiting.filter((borrower) => !refused.includes(borrower));
      dial.refuse();
      return () => {
        for (const { outcome } of refused) {
          expect(outcome).toEqual({ type: "refused", code: "PRE_EXECUTION_UNAVAILABLE" });
        }
        expect(world.waiting).toEqual(others);
      };
    }),
});

const advance = (ms: number): Step => ({
  name: `advance(${ms})`,
  run: (world) => {
    world.clock.step(ms);
    return nothing;
  },
});

const setLimit = (limit: number): Step => ({
  name: `setLimit(${limit})`,
  run: (world) => {
    world.budget.limit = limit;
    return nothing;
  },
});

const setAccess = (access: BackendAccess): Step => ({
  name: `setAccess(${access})`,
  run: (world) => {
    world.access = access;
    world.pool.setAccess(access);
    return nothing;
  },
});

const which = fc.nat({ max: 5 });
const commands = fc.commands(
  [
    fc.constant(borrow),
    fc.constant(borrow),
    which.map(release),
    which.map(discard),
    which.map(lose),
    which.map(abort),
    which.map(accept),
    which.map(accept),
    which.map(refuse),
    fc.constantFrom(1, REDIAL_DELAY_MS, WAIT_TIMEOUT_MS, IDLE_TIMEOUT_MS).map(advance),
    fc.nat({ max: CAPACITY + 1 }).map(setLimit),
    fc.constantFrom<BackendAccess>("read-write", "read-only").map(setAccess),
  ].map((steps) => steps.map((step) => new StepCommand(step))),
  { maxCommands: 60, size: "max" },
);

/** Whatever has happened before: everything ends, and everybody is told. */
async function closeAndCheck(world: World): Promise<void> {
  const closing = world.pool.close();
  world.borrow();
  await settled();
  expect(world.waiting).toEqual([]);
  world.clock.step(300);
  await closing;
  expect(world.server.live).toEqual([]);
  expect(world.server.dials).toEqual([]);
  expect(world.budget.used).toBe(0);
  expect(world.clock.pending).toBe(0);
}

test("whatever happens, sessions are never shared, lost or too many", async () => {
  await fc.assert(
    fc.asyncProperty(commands, async (steps) => {
      const world = new World();
      await fc.asyncModelRun(() => ({ model: {}, real: world }), steps);
      await closeAndCheck(world);
    }),
    { numRuns: 300 },
  );
}, 60_000);
