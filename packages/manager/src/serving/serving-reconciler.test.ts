import assert from "node:assert/strict";
import { setImmediate as nextTurn } from "node:timers/promises";
import { PoolerRole, ServingStatus } from "@multipooler/controller-api";
import type { ServingTarget } from "@multipooler/controller-api";
import type { CallOptions } from "@multipooler/query-service";
import { ManualClock } from "@multipooler/timing/testing";
import fc from "fast-check";
import { expect, test } from "vitest";
import { RecordingLogger } from "../../test/recording-logger.ts";
import type { DatabaseHealth } from "../database/database-monitor.ts";
import { ManagerError, ManagerErrorCode } from "../manager-error.ts";
import { PoolerType } from "../record/pooler-type.ts";
import type { OperatorIntent } from "./operator-intent.ts";
import { ServingReconciler } from "./serving-reconciler.ts";
import type { ServingAnnouncement, ServingSteps } from "./serving-steps.ts";
import { admits, deriveTarget, notServing, sameTarget } from "./serving-target.ts";
import type { ServingFacts } from "./serving-target.ts";

const HEALTH = {
  unknown: { state: "unknown" },
  down: {
    state: "down",
    error: new ManagerError(ManagerErrorCode.DatabaseUnavailable, "PostgreSQL is away"),
  },
  primary: { state: "up", facts: { inRecovery: false, serverVersion: "17.0" } },
  standby: { state: "up", facts: { inRecovery: true, serverVersion: "17.0" } },
} as const satisfies Record<string, DatabaseHealth>;

const FREE: OperatorIntent = { status: ServingStatus.Serving, reason: "" };

type Command =
  | {
      readonly type: "learn";
      readonly health: keyof typeof HEALTH;
      readonly role: PoolerType;
      readonly wish: ServingStatus;
    }
  /** The step that runs ends well. */
  | { readonly type: "finish" }
  /** The step that runs fails; a drain that fails may have stopped serving all the same. */
  | { readonly type: "fail"; readonly stopped: boolean }
  | { readonly type: "wait"; readonly ms: number }
  /** From now on an abort ends the step that runs, or is not heeded until it ends by itself. */
  | { readonly type: "heed"; readonly aborts: boolean };

interface RunningStep {
  readonly name: string;
  readonly ended: PromiseWithResolvers<void>;
}

/** A controller and a topology that do what the commands say, and check every call on them. */
class World implements ServingSteps {
  facts: ServingFacts = { database: HEALTH.unknown, type: PoolerType.Unknown, intent: FREE };
  record: ServingAnnouncement = { target: notServing("new"), draining: false };
  heedsAborts = true;
  stopsWhenDrainFails = false;
  reversals = 0;
  running: RunningStep | undefined;
  /** What was called and should not have been; the reconciler would swallow an exception. */
  readonly violations: string[] = [];
  #current: ServingTarget = notServing("new");
  #leaving = false;

  current(): ServingTarget {
    return this.#current;
  }

  get isServing(): boolean {
    return admits(this.#current.status) && !this.#leaving;
  }

  async prepare(_: ServingTarget, { signal }: CallOptions): Promise<void> {
    await this.#step("prepare", signal);
  }

  async claim(target: ServingTarget, { signal }: CallOptions): Promise<void> {
    this.#demand(sameTarget(target, deriveTarget(this.facts)), "claims what the facts say now");
    this.record = {
      target: { ...target, status: ServingStatus.NotServing },
      draining: false,
    };
    await this.#step("claim", signal);
  }

  async setServingType(target: ServingTarget, { signal }: CallOptions): Promise<void> {
    if (this.#leaving && sameTarget(target, this.#current)) {
      this.#demand(sameTarget(target, deriveTarget(this.facts)), "goes back to what the facts say");
      this.reversals += 1;
      this.#leaving = false;
      this.#current = target;
      this.running?.ended.reject(new Error("reversed"));
      return;
    }
    if (admits(target.status)) {
      this.#demand(sameTarget(target, deriveTarget(this.facts)), "serves what the facts say now");
      this.#demand(this.record.target.role === target.role, "the topology was told of the role");
      this.#demand(!this.isServing || sameTarget(this.#current, target), "left the other first");
    }
    this.#leaving = admits(this.#current.status) && this.#current.status !== target.status;
    try {
      await this.#step("setServingType", signal);
      this.#current = target;
    } catch (error) {
      if (this.#leaving && this.stopsWhenDrainFails) {
        this.#current = notServing("drain failed");
      }
      throw error;
    } finally {
      this.#leaving = false;
    }
  }

  async retire(_: ServingTarget, { signal }: CallOptions): Promise<void> {
    await this.#step("retire", signal);
  }

  announce(announcement: ServingAnnouncement): void {
    const { target, draining } = announcement;
    this.#demand(
      !admits(target.status) || draining || sameTarget(target, deriveTarget(this.facts)),
      "announces what the facts say now",
    );
    this.record = announcement;
  }

  #demand(holds: boolean, what: string): void {
    if (!holds) {
      this.violations.push(what);
    }
  }

  async #step(name: string, signal: AbortSignal | undefined): Promise<void> {
    this.#demand(this.running === undefined, "one step at a time");
    const step = { name, ended: Promise.withResolvers<void>() };
    this.running = step;
    const abort = (): void => {
      if (this.heedsAborts) {
        step.ended.reject(signal?.reason);
      }
    };
    signal?.addEventListener("abort", abort);
    if (signal?.aborted === true) {
      abort();
    }
    try {
      await step.ended.promise;
    } finally {
      signal?.removeEventListener("abort", abort);
      this.running = undefined;
    }
  }
}

class Model {
  readonly world: World = new World();
  readonly clock: ManualClock = new ManualClock();
  readonly reconciler: ServingReconciler = new ServingReconciler({
    steps: this.world,
    clock: this.clock,
    random: () => 0.5,
    logger: new RecordingLogger(),
    onChange: () => undefined,
    onFailure: () => undefined,
  });

  async run(command: Command): Promise<void> {
    const { world } = this;
    switch (command.type) {
      case "learn":
        world.facts = {
          database: HEALTH[command.health],
          type: command.role,
          intent: { status: command.wish, reason: "" },
        };
        this.reconciler.want(deriveTarget(world.facts));
        break;
      case "finish":
        world.running?.ended.resolve();
        break;
      case "fail":
        world.stopsWhenDrainFails = command.stopped;
        world.running?.ended.reject(new Error("as told"));
        break;
      case "wait":
        await this.clock.advance(command.ms);
        break;
      case "heed":
        world.heedsAborts = command.aborts;
        break;
    }
    // At once, before anything else had a turn.
    this.#check();
    await nextTurn();
    this.#check();
  }

  /** Lets everything end well until nothing runs any more. */
  async settle(): Promise<void> {
    for (let turn = 0; turn < 50; turn += 1) {
      this.world.running?.ended.resolve();
      await this.clock.advance(5_000);
      this.#check();
    }
  }

  #check(): void {
    const { world } = this;
    const { target, draining } = world.record;
    const wanted = deriveTarget(world.facts);
    assert.deepEqual(world.violations, []);
    if (admits(target.status) && !draining) {
      assert.ok(world.isServing, "a record that says serving is true");
      assert.ok(sameTarget(target, world.current()), "and says how");
      assert.ok(sameTarget(target, wanted), "and what the facts allow");
    }
    if (world.isServing && world.current().role === PoolerRole.Primary) {
      assert.equal(target.role, PoolerRole.Primary, "the topology knows of every primary");
    }
    if (this.reconciler.progress().reached) {
      assert.ok(sameTarget(world.current(), wanted), "reached means that it is current");
      assert.ok(sameTarget(target, wanted) && !draining, "and told");
    }
  }
}

const command: fc.Arbitrary<Command> = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({
      type: fc.constant("learn" as const),
      health: fc.constantFrom("primary", "primary", "primary", "standby", "down", "unknown"),
      role: fc.constantFrom(PoolerType.Primary, ...Object.values(PoolerType)),
      wish: fc.constantFrom("SERVING", "SERVING", "SERVING", ...Object.values(ServingStatus)),
    }),
  },
  { weight: 8, arbitrary: fc.constant({ type: "finish" as const }) },
  {
    weight: 2,
    arbitrary: fc.record({ type: fc.constant("fail" as const), stopped: fc.boolean() }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      type: fc.constant("wait" as const),
      ms: fc.constantFrom(10, 200, 40_000),
    }),
  },
  { weight: 2, arbitrary: fc.record({ type: fc.constant("heed" as const), aborts: fc.boolean() }) },
);

test("whatever happens, it never serves what the facts forbid and ends where they point", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.boolean(),
      fc.array(command, { maxLength: 60 }),
      async (heeds, commands) => {
        const model = new Model();
        model.world.heedsAborts = heeds;
        model.reconciler.open();
        for (const each of commands) {
          await model.run(each);
        }
        await model.settle();
        const wanted = deriveTarget(model.world.facts);
        expect(sameTarget(model.world.current(), wanted)).toBe(true);
        expect(model.world.current()).toEqual(model.reconciler.progress().wanted);
        expect(model.world.record.draining).toBe(false);
        expect(sameTarget(model.world.record.target, wanted)).toBe(true);
        expect(model.reconciler.progress()).toMatchObject({ reached: true, lastError: undefined });

        const closing = model.reconciler.close("closing");
        expect(model.world.record.draining || !admits(model.world.record.target.status)).toBe(true);
        model.world.facts = { database: HEALTH.unknown, type: PoolerType.Unknown, intent: FREE };
        await model.settle();
        await closing;
        expect(model.world.isServing).toBe(false);
        expect(model.clock.pending).toBe(0);
      },
    ),
    {
      numRuns: 1_000,
      examples: [
        // A step that does not heed its abort ends well after something else was wanted.
        [false, [{ type: "learn", health: "standby", role: PoolerType.Unknown, wish: "SERVING" }]],
      ],
    },
  );
});

/** A primary that serves, and the facts that make it one. */
async function servingPrimary(): Promise<{ model: Model; facts: ServingFacts }> {
  const model = new Model();
  const facts = { database: HEALTH.primary, type: PoolerType.Primary, intent: FREE };
  model.reconciler.open();
  model.world.facts = facts;
  model.reconciler.want(deriveTarget(facts));
  await model.settle();
  expect(model.world.isServing).toBe(true);
  return { model, facts };
}

async function closeModel(model: Model): Promise<void> {
  const closing = model.reconciler.close("closing");
  model.world.facts = { database: HEALTH.unknown, type: PoolerType.Unknown, intent: FREE };
  await model.settle();
  await closing;
}

const DRAIN: OperatorIntent = { status: ServingStatus.Drained, reason: "an upgrade" };

test("a drain is reversed while it runs, without a moment in which nothing is served", async () => {
  const { model, facts } = await servingPrimary();
  const { world, reconciler } = model;
  const calls: string[] = [];
  const learn = (change: Partial<ServingFacts>): void => {
    world.facts = { ...facts, ...change };
    reconciler.want(deriveTarget(world.facts));
  };
  learn({ intent: DRAIN });
  await nextTurn();
  expect([world.running?.name, world.isServing]).toEqual(["setServingType", false]);
  learn({});
  expect([world.isServing, world.reversals]).toEqual([true, 1]);
  for (let turn = 0; turn < 20; turn += 1) {
    await nextTurn();
    calls.push(world.running?.name ?? "none");
    world.running?.ended.resolve();
    expect(world.isServing).toBe(true);
  }
  expect(calls).not.toContain("claim");
  expect(calls).not.toContain("retire");
  expect(world.record).toEqual({ target: deriveTarget(facts), draining: false });
  expect(reconciler.progress()).toMatchObject({ reached: true, lastError: undefined });
  expect(reconciler.history().map(({ to, outcome }) => `${to.status} ${outcome}`)).toEqual([
    "SERVING reached",
    "DRAINED reversed",
  ]);
  await closeModel(model);
});

test("the last 64 transitions are remembered, with reason, outcome, attempts and error", async () => {
  const { model, facts } = await servingPrimary();
  const { world, reconciler } = model;
  for (let round = 0; round < 40; round += 1) {
    for (const intent of [DRAIN, FREE]) {
      world.facts = { ...facts, intent };
      reconciler.want(deriveTarget(world.facts));
      await model.settle();
    }
  }
  expect(reconciler.history()).toHaveLength(64);
  world.facts = { ...facts, intent: DRAIN };
  reconciler.want(deriveTarget(world.facts));
  await nextTurn();
  world.running?.ended.reject(new Error("as told"));
  await model.clock.advance(300);
  expect(reconciler.history()).toHaveLength(64);
  expect(reconciler.history().at(-1)).toMatchObject({
    from: { status: "SERVING", role: "PRIMARY" },
    to: { status: "DRAINED", role: "REPLICA" },
    reason: "drained by an operator: an upgrade",
    outcome: "running",
    durationMs: 300,
    attempts: 2,
    error: "as told",
  });
  await model.settle();
  expect(reconciler.history().at(-1)).toMatchObject({ outcome: "reached", error: undefined });
  await closeModel(model);
  expect(reconciler.history().at(-1)).toMatchObject({ reason: "closing", outcome: "reached" });
});

test("another reason reaches the controller, and what was reached stays so meanwhile", async () => {
  const model = new Model();
  model.reconciler.open();
  const facts = { database: HEALTH.primary, intent: FREE };
  const before = deriveTarget({ ...facts, type: PoolerType.Unknown });
  const after = deriveTarget({ ...facts, type: PoolerType.Replica });
  model.world.facts = { ...facts, type: PoolerType.Replica };
  model.reconciler.want(before);
  await model.settle();
  expect(model.world.current()).toEqual(before);

  model.reconciler.want(after);
  await nextTurn();
  expect(model.world.running?.name).toBe("setServingType");
  expect(model.reconciler.progress().reached).toBe(true);
  model.world.running?.ended.reject(new Error("as told"));
  await nextTurn();
  // Nobody knows what holds after a failure.
  expect(model.reconciler.progress()).toMatchObject({ reached: false });
  await model.settle();
  expect(model.world.current()).toEqual(after);
  expect(model.reconciler.progress()).toMatchObject({ reached: true, lastError: undefined });

  const closing = model.reconciler.close("closing");
  model.world.facts = { database: HEALTH.unknown, type: PoolerType.Unknown, intent: FREE };
  await model.settle();
  await closing;
});

test("a reason that changes on the way is the one that the controller has in the end", async () => {
  const model = new Model();
  model.reconciler.open();
  await nextTurn();
  model.reconciler.want(notServing("first"));
  model.reconciler.want(notServing("second"));
  await model.settle();
  expect(model.world.current()).toEqual(notServing("second"));

  const closing = model.reconciler.close("closing");
  await model.settle();
  await closing;
});

test("a failed attempt is repeated after a delay that grows, and its error is kept until then", async () => {
  const model = new Model();
  model.reconciler.open();
  const facts = { database: HEALTH.down, type: PoolerType.Unknown, intent: FREE };
  model.reconciler.want(deriveTarget(facts));
  const attempts: number[] = [];
  const start = model.clock.now();
  for (let attempt = 0; attempt < 4; attempt += 1) {
    await nextTurn();
    attempts.push(model.clock.now() - start);
    model.world.running?.ended.reject(new Error("as told"));
    await nextTurn();
    expect(model.reconciler.progress().lastError).toEqual(new Error("as told"));
    while (model.world.running === undefined) {
      await model.clock.advance(10);
    }
  }
  // Half of 100, 200 and 400 ms, since the random number is always a half.
  expect(attempts).toEqual([0, 50, 150, 350]);
  await model.settle();
  expect(model.reconciler.progress().lastError).toBeUndefined();
  const closing = model.reconciler.close("closing");
  await model.settle();
  await closing;
});

test("an attempt that takes too long is aborted and counts as failed", async () => {
  const model = new Model();
  model.reconciler.open();
  await nextTurn();
  expect(model.world.running?.name).toBe("setServingType");
  await model.clock.advance(30_000);
  expect(model.reconciler.progress().lastError).toMatchObject({ name: "TimeoutError" });
  const closing = model.reconciler.close("closing");
  await model.settle();
  await closing;
});

test("a close whose last attempt fails rejects, and the signal bounds it", async () => {
  const model = new Model();
  model.reconciler.open();
  await model.settle();
  const abort = new AbortController();
  const closing = model.reconciler.close("closing", { signal: abort.signal });
  await nextTurn();
  abort.abort(new Error("no more time"));
  await expect(closing).rejects.toThrow("no more time");
});
