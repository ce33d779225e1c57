import { PoolerRole, ServingStatus } from "@multipooler/controller-api";
import type { ServingTarget } from "@multipooler/controller-api";
import { QueryMode } from "@multipooler/query-service";
import { ManualClock } from "@multipooler/timing/testing";
import fc from "fast-check";
import { expect, test } from "vitest";
import { settled } from "../../test/settled.ts";
import { silentLogger } from "../../test/silent-logger.ts";
import { MultiPoolerError } from "../error.ts";
import { ServingGate } from "./serving-gate.ts";

const GRACE_MS = 3000;

/** What each status admits of new work: the table of the contract, once nothing is in motion. */
const ADMITS: Readonly<Record<ServingStatus, "anything" | "reads" | "nothing">> = {
  SERVING: "anything",
  SERVING_RDONLY: "reads",
  DRAINED: "nothing",
  NOT_SERVING: "nothing",
};

/** Whether a query of this mode may only run where the role is PRIMARY. */
const NEEDS_PRIMARY: Readonly<Record<QueryMode, boolean>> = {
  WRITABLE: true,
  CONSISTENT: true,
  INCONSISTENT: false,
  UNSPECIFIED: false,
};

type NewKind = "single" | "reservation";
type HeldKind = "single" | "reserved";

/** Something inside the gate: what it saw, and what it should have seen. */
class Running {
  kind: HeldKind;
  seen: string | undefined;
  cutFor: string | undefined;

  constructor(kind: HeldKind) {
    this.kind = kind;
  }

  cut(reason: MultiPoolerError): void {
    this.seen ??= reason.code;
  }
}

interface Transition {
  readonly target: ServingTarget;
  readonly controller: AbortController;
  expected: string;
  seen: string;
}

/** What the gate should be like, in plain data. */
class Model {
  current: Pick<ServingTarget, "status" | "role"> = { status: "NOT_SERVING", role: "REPLICA" };
  /** What the sessions are ready for. */
  prepared: Pick<ServingTarget, "status" | "role"> | undefined;
  isOpen = true;
  running: Running[] = [];
  /** The first one is under way if `started`; the others wait for it. */
  queue: Transition[] = [];
  started = false;
  cutAt = Number.POSITIVE_INFINITY;
  /** The drain under way has no reservation left, or is past its deadline. */
  inLastStage = false;

  /** Whether the phase lets a new request of this kind ask for the status. */
  isOpenFor(kind: NewKind): boolean {
    if (!this.started) {
      return true;
    }
    return kind === "single" && !this.inLastStage;
  }

  get isServing(): boolean {
    return !this.started && ADMITS[this.current.status] !== "nothing";
  }

  stop(): void {
    this.current = { ...this.current, status: "NOT_SERVING" };
  }

  /** Carries on with the transitions as far as they go. */
  proceed(now: number): void {
    for (let [first] = this.queue; first !== undefined; [first] = this.queue) {
      const { target } = first;
      const becomesServing = ADMITS[target.status] !== "nothing";
      const { prepared } = this;
      const isSame = target.status === prepared?.status && target.role === prepared.role;
      const isClosed = becomesServing && !this.isOpen;
      if (!this.started && !isClosed && !(becomesServing && isSame)) {
        this.started = true;
        this.inLastStage = false;
        this.cutAt = this.running.length > 0 ? now + GRACE_MS : Number.POSITIVE_INFINITY;
      }
      if (this.started && this.running.every(({ kind }) => kind === "single")) {
        this.inLastStage = true;
      }
      if (this.started && this.running.length > 0) {
        return;
      }
      if (isClosed && this.started) {
        this.stop();
      }
      if (!isClosed) {
        this.current = target;
        this.prepared = target;
      }
      this.end(isClosed ? "NOT_OPEN" : "done");
    }
  }

  /** Whether a target is what the drain under way leaves, and is the next one. */
  isReversedBy({ status, role }: ServingTarget): boolean {
    const { prepared } = this;
    const isHeld = prepared?.status === status && prepared.role === role;
    return this.started && this.queue.length === 1 && isHeld && ADMITS[status] !== "nothing";
  }

  reverse(transition: Transition): void {
    transition.expected = this.isOpen ? "done" : "NOT_OPEN";
    if (this.isOpen) {
      this.current = transition.target;
      this.end("CANCELLED");
    }
  }

  /** Ends the transition under way. */
  end(outcome: string): void {
    const first = this.queue.shift();
    if (first !== undefined) {
      first.expected = outcome;
    }
    this.started = false;
    this.cutAt = Number.POSITIVE_INFINITY;
  }
}

class World {
  readonly clock = new ManualClock();
  readonly transitions: Transition[] = [];
  readonly prepared: ServingTarget[] = [];
  readonly gate: ServingGate;

  constructor(model: Model) {
    this.gate = new ServingGate({
      drainGraceMs: GRACE_MS,
      isOpen: () => model.isOpen,
      prepare: (target) => {
        expect(model.running, "nothing runs while sessions are exchanged").toEqual([]);
        this.prepared.push(target);
      },
      clock: this.clock,
      logger: silentLogger,
    });
  }
}

interface Step {
  readonly name: string;
  readonly run: (model: Model, world: World) => void;
}

class StepCommand implements fc.AsyncCommand<Model, World> {
  readonly #step: Step;

  constructor(step: Step) {
    this.#step = step;
  }

  check(): boolean {
    return true;
  }

  async run(model: Model, world: World): Promise<void> {
    this.#step.run(model, world);
    model.proceed(world.clock.monotonic());
    await settled();
    compare(model, world);
  }

  toString(): string {
    return this.#step.name;
  }
}

function compare(model: Model, world: World): void {
  const { current, wanted } = world.gate.state;
  expect({ status: current.status, role: current.role }, "current").toEqual({
    status: model.current.status,
    role: model.current.role,
  });
  expect(wanted, "wanted").toBe(model.started ? model.queue[0]?.target : undefined);
  expect(world.gate.isServing, "serving").toBe(model.isServing);
  for (const transition of world.transitions) {
    expect(transition.seen, `transition to ${transition.target.status}`).toBe(transition.expected);
  }
  for (const { seen, cutFor } of model.running) {
    expect(seen).toBe(cutFor);
  }
  const reserved = model.running.filter(({ kind }) => kind === "reserved").length;
  expect(world.gate.counts).toEqual({ single: model.running.length - reserved, reserved });
}

const enter = (kind: NewKind, mode: QueryMode): Step => ({
  name: `enter(${kind}, ${mode})`,
  run: (model, world) => {
    const running = new Running(kind === "single" ? "single" : "reserved");
    const fitsRole = !NEEDS_PRIMARY[mode] || model.current.role === "PRIMARY";
    const fitsStatus = ADMITS[model.current.status] !== "nothing" && fitsRole;
    if (!fitsStatus || !model.isOpenFor(kind)) {
      expect(() => world.gate.enter(kind, mode, running)).toThrow(
        expect.objectContaining({ code: "NOT_SERVING" }),
      );
      return;
    }
    world.gate.enter(kind, mode, running);
    const refusal = world.gate.readOnlyRefusal({
      administration: undefined,
      writing: "RESET ALL",
    });
    expect(refusal?.code).toBe(ADMITS[model.current.status] === "reads" ? "READ_ONLY" : undefined);
    expect(world.gate.readOnlyRefusal(undefined)).toBeUndefined();
    model.running.push(running);
  },
});

/** COMMIT and all else inside a reservation: never refused while the reservation is there. */
const enterReserved: Step = {
  name: "enterReserved",
  run: (model, world) => {
    if (model.running.some(({ kind }) => kind === "reserved")) {
      world.gate.enterReserved(QueryMode.Writable);
    }
  },
};

const leaveOne = (index: number): Step => ({
  name: `leaveOne(${index})`,
  run: (model, world) => {
    const [ended] = model.running.splice(index % Math.max(model.running.length, 1), 1);
    if (ended !== undefined) {
      world.gate.leave(ended);
    }
  },
});

const changeOne = (index: number, kind: HeldKind): Step => ({
  name: `changeOne(${index}, ${kind})`,
  run: (model, world) => {
    const changed = model.running[index % Math.max(model.running.length, 1)];
    if (changed !== undefined) {
      world.gate.change(kind, changed);
      changed.kind = kind;
    }
  },
});

const setTarget = (target: ServingTarget): Step => ({
  name: `setTarget(${target.status} ${target.role})`,
  run: (model, world) => {
    const transition: Transition = {
      target,
      controller: new AbortController(),
      expected: "pending",
      seen: "pending",
    };
    if (model.isReversedBy(target)) {
      model.reverse(transition);
    } else {
      model.queue.push(transition);
    }
    world.transitions.push(transition);
    world.gate.setTarget(target, transition.controller.signal).then(
      () => {
        transition.seen = "done";
      },
      (error: unknown) => {
        transition.seen = error instanceof MultiPoolerError ? error.code : String(error);
      },
    );
  },
});

const abort = (index: number): Step => ({
  name: `abort(${index})`,
  run: (model) => {
    const at = index % Math.max(model.queue.length, 1);
    const transition = model.queue[at];
    if (transition === undefined) {
      return;
    }
    transition.controller.abort();
    if (at === 0) {
      model.stop();
      model.end("CANCELLED");
    } else {
      model.queue.splice(at, 1);
      transition.expected = "CANCELLED";
    }
  },
});

const advance = (ms: number): Step => ({
  name: `advance(${ms})`,
  run: (model, world) => {
    world.clock.step(ms);
    if (world.clock.monotonic() < model.cutAt) {
      return;
    }
    model.inLastStage = true;
    for (const running of model.running) {
      running.cutFor ??= "NOT_SERVING";
    }
  },
});

const setOpen = (isOpen: boolean): Step => ({
  name: `setOpen(${isOpen})`,
  run: (model) => {
    model.isOpen = isOpen;
  },
});

const targets: fc.Arbitrary<ServingTarget> = fc.record({
  status: fc.constantFrom(...Object.values(ServingStatus)),
  role: fc.constantFrom(...Object.values(PoolerRole)),
  reason: fc.constant("the model wants it"),
});

const kinds = fc.constantFrom<NewKind>("single", "reservation");
const modes = fc.constantFrom(...Object.values(QueryMode));

const commands = fc.commands(
  [
    fc.tuple(kinds, modes).map(([kind, mode]) => enter(kind, mode)),
    fc.tuple(kinds, modes).map(([kind, mode]) => enter(kind, mode)),
    fc.constant(enterReserved),
    fc.nat({ max: 5 }).map(leaveOne),
    fc.nat({ max: 5 }).map(leaveOne),
    fc
      .tuple(fc.nat({ max: 5 }), fc.constantFrom<HeldKind>("single", "reserved"))
      .map(([index, kind]) => changeOne(index, kind)),
    targets.map(setTarget),
    targets.map(setTarget),
    fc.nat({ max: 3 }).map(abort),
    fc.constantFrom(1, GRACE_MS - 1, GRACE_MS).map(advance),
    fc.boolean().map(setOpen),
  ].map((steps) => steps.map((step) => new StepCommand(step))),
  { maxCommands: 40, size: "max" },
);

/** Whatever has happened before: a gate that closes admits nothing and waits for what runs. */
async function closeAndCheck(model: Model, world: World): Promise<void> {
  model.isOpen = false;
  const closing = world.gate.close();
  expect(world.gate.isServing).toBe(false);
  for (const running of model.running) {
    expect(running.seen).toBeDefined();
    world.gate.leave(running);
  }
  await closing;
  expect(world.gate.state).toMatchObject({
    current: { status: "NOT_SERVING", role: "REPLICA" },
    wanted: undefined,
  });
  expect(world.clock.pending).toBe(0);
}

test("whatever happens, the gate admits what the table allows and drains before it changes", async () => {
  await fc.assert(
    fc.asyncProperty(commands, async (steps) => {
      const model = new Model();
      const world = new World(model);
      await fc.asyncModelRun(() => ({ model, real: world }), steps);
      await closeAndCheck(model, world);
    }),
    { numRuns: 1000 },
  );
}, 60_000);
