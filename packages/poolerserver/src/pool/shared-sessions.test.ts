import { expect, test } from "vitest";
import { setUp } from "../../test/scheduler-scene.ts";
import type { SchedulerScene } from "../../test/scheduler-scene.ts";
import { settled } from "../../test/settled.ts";
import { TestUnit } from "../../test/unit-client.ts";
import { Taint } from "../classification/taint.ts";
import type { Backend } from "./backend.ts";
import type { SchedulerOptions } from "./scheduler-options.ts";
import type { UnitKind } from "./unit.ts";

/** A scheduler with a session that is idle. */
class Scene {
  readonly scene: SchedulerScene;
  readonly units: TestUnit[] = [];

  constructor(options: Partial<SchedulerOptions> = {}) {
    this.scene = setUp({ capacity: 4, ...options });
  }

  submit(kind: UnitKind, origin = ""): TestUnit {
    const unit = new TestUnit({ id: this.units.length, origin, kind });
    this.units.push(unit);
    this.scene.pool.submit(unit);
    return unit;
  }

  /** Submits, and waits until a session is there for it. */
  async granted(kind: UnitKind): Promise<TestUnit> {
    const unit = this.submit(kind);
    await settled();
    expect(unit.outcome.type).toBe("held");
    return unit;
  }

  release(unit: TestUnit): void {
    if (unit.outcome.type === "held") {
      void unit.outcome.lease.release();
    }
    unit.outcome = { type: "given back" };
  }

  /** Lets the pool learn that statements are short, so that it shares deeply. */
  async learnShort(): Promise<void> {
    for (let count = 0; count < 200; count += 1) {
      this.release(await this.granted("shareable"));
    }
  }
}

function backendOf({ outcome }: TestUnit): Backend | undefined {
  return outcome.type === "held" ? outcome.lease.backend : undefined;
}

test("short statements share one session, however many clients send them", async () => {
  const scene = new Scene();
  await scene.learnShort();
  const units = Array.from({ length: 60 }, (_, client) => scene.submit("shareable", `${client}`));
  expect(new Set(units.map(backendOf)).size).toBe(1);
  expect(scene.scene.server.backends).toHaveLength(1);
});

test("until statements are known to be short, few share a session", async () => {
  const scene = new Scene();
  const [first] = [await scene.granted("shareable")];
  const units = Array.from({ length: 20 }, () => scene.submit("shareable"));
  await settled();
  const onFirst = units.filter((unit) => backendOf(unit) === backendOf(first));
  expect(onFirst).toHaveLength(3);
  expect(scene.scene.server.backends).toHaveLength(4);
});

test("a depth of 1 switches sharing off", async () => {
  const scene = new Scene({ sharingDepth: 1, capacity: 2 });
  await scene.learnShort();
  const units = Array.from({ length: 3 }, () => scene.submit("shareable"));
  await settled();
  expect(units.map(({ outcome }) => outcome.type)).toEqual(["held", "held", "waiting"]);
  const [first, second] = units.map(backendOf);
  expect(first).not.toBe(second);
});

test("nothing is put behind a unit that may wait, which itself may go behind others", async () => {
  const scene = new Scene({ capacity: 2 });
  await scene.learnShort();
  const before = scene.submit("shareable");
  const waits = scene.submit("mayWait");
  expect(backendOf(waits)).toBe(backendOf(before));
  const behind = scene.submit("shareable");
  await settled();
  expect(backendOf(behind)).not.toBe(backendOf(waits));
  scene.release(before);
  const next = scene.submit("mayWait");
  expect(backendOf(next)).toBe(backendOf(behind));
  const last = scene.submit("shareable");
  expect(last.outcome.type).toBe("waiting");
  scene.release(waits);
  expect(backendOf(last)).toBe(scene.scene.server.backends[0]);
});

test("nothing is put behind a statement that has run for more than a few milliseconds", async () => {
  const scene = new Scene();
  await scene.learnShort();
  const long = scene.submit("shareable");
  scene.scene.clock.step(5);
  const other = scene.submit("shareable");
  await settled();
  expect(backendOf(other)).toBeDefined();
  expect(backendOf(other)).not.toBe(backendOf(long));
});

test("a session that is needed for itself is not fed any more, and is handed over when it is empty", async () => {
  const scene = new Scene({ capacity: 1 });
  await scene.learnShort();
  const shared = [scene.submit("shareable"), scene.submit("shareable")];
  const exclusive = scene.submit("exclusive", "a");
  const later = scene.submit("shareable", "b");
  expect(exclusive.outcome.type).toBe("waiting");
  expect(later.outcome.type).toBe("waiting");
  for (const unit of shared) {
    scene.release(unit);
  }
  expect(exclusive.outcome.type).toBe("held");
  expect(later.outcome.type).toBe("waiting");
  scene.release(exclusive);
  expect(later.outcome.type).toBe("held");
});

test.each(["withdrawn", "refused after its limit"])(
  "the next unit gets its turn when the one before it is %s",
  async (how) => {
    const scene = new Scene({ capacity: 1 });
    await scene.learnShort();
    const shared = scene.submit("shareable");
    const exclusive = scene.submit("exclusive", "a");
    scene.scene.clock.step(1);
    const later = scene.submit("shareable", "b");
    expect(later.outcome.type).toBe("waiting");
    if (how === "withdrawn") {
      scene.scene.pool.withdraw(exclusive);
      expect(backendOf(later)).toBe(backendOf(shared));
    } else {
      scene.scene.clock.step(499);
      expect(exclusive.outcome).toEqual({ type: "refused", code: "POOL_EXHAUSTED" });
      // What runs has run for long by now.
      expect(later.outcome.type).toBe("waiting");
      scene.release(shared);
      expect(later.outcome.type).toBe("held");
    }
  },
);

test("a taint of one holder is taken away when the last one has left", async () => {
  const scene = new Scene({ capacity: 1 });
  await scene.learnShort();
  const [first, second] = [scene.submit("shareable"), scene.submit("shareable")];
  if (first.outcome.type === "held") {
    first.outcome.lease.taint(Taint.Settings);
  }
  scene.release(first);
  const [backend] = scene.scene.server.backends;
  expect(backend?.requests).toEqual([]);
  expect(scene.submit("shareable").outcome.type).toBe("waiting");
  scene.release(second);
  expect(backend?.requests.map(({ sql }) => sql)).toEqual([
    "SET SESSION AUTHORIZATION DEFAULT;RESET ALL",
  ]);
});

test("the number of shared sessions falls again when fewer are enough", async () => {
  const scene = new Scene();
  await scene.learnShort();
  const waits = Array.from({ length: 3 }, () => scene.submit("mayWait"));
  await settled();
  expect(new Set(waits.map(backendOf)).size).toBe(3);
  for (const unit of waits) {
    scene.release(unit);
  }
  for (let second = 0; second < 5; second += 1) {
    scene.scene.clock.step(1000);
    scene.release(await scene.granted("shareable"));
  }
  const units = Array.from({ length: 10 }, () => scene.submit("shareable"));
  expect(new Set(units.map(backendOf)).size).toBe(1);
});

test("a few runs that other processes have held up do not spread statements over more sessions", async () => {
  const scene = new Scene();
  await scene.learnShort();
  for (let run = 0; run < 100; run += 1) {
    const units = Array.from({ length: 8 }, () => scene.submit("shareable"));
    // Half of them are held up by 3 ms.
    scene.scene.clock.step(run % 2 === 0 ? 3 : 0.1);
    for (const unit of units) {
      scene.release(unit);
    }
  }
  const units = Array.from({ length: 8 }, () => scene.submit("shareable"));
  expect(new Set(units.map(backendOf)).size).toBe(1);
});

test("a pooler that is busy itself puts short statements onto one session all the same", async () => {
  const scene = new Scene({ poolerTime: { waitedMs: () => 0, workMs: () => 2 } });
  for (let turn = 0; turn < 100; turn += 1) {
    const units = Array.from({ length: 3 }, () => scene.submit("shareable"));
    await settled();
    scene.scene.clock.step(3);
    for (const unit of units) {
      scene.release(unit);
    }
  }
  const units = Array.from({ length: 8 }, () => scene.submit("shareable"));
  expect(new Set(units.map(backendOf)).size).toBe(1);
});

test.each([
  { title: "that has worked meanwhile shares its session", isBusy: true, sessions: 1 },
  { title: "that has looked for its answer does not", isBusy: false, sessions: 2 },
])("after 30 ms of a statement, a pooler $title", async ({ isBusy, sessions }) => {
  let workMs = 0;
  const scene = new Scene({ poolerTime: { waitedMs: () => 0, workMs: () => workMs } });
  await scene.learnShort();
  const before = scene.submit("shareable");
  workMs = isBusy ? 30 : 1;
  scene.scene.clock.step(30);
  const behind = scene.submit("shareable");
  await settled();
  expect(new Set([before, behind].map(backendOf)).size).toBe(sessions);
});

test("statements that are long get sessions of their own while there are any", async () => {
  const scene = new Scene();
  for (let count = 0; count < 40; count += 1) {
    const unit = await scene.granted("shareable");
    scene.scene.clock.step(30);
    scene.release(unit);
  }
  const units = Array.from({ length: 4 }, () => scene.submit("shareable"));
  await settled();
  expect(new Set(units.map(backendOf)).size).toBe(4);
});
