import { ManualClock } from "@multipooler/timing/testing";
import fc from "fast-check";
import { expect, test } from "vitest";
import { checkReceivingLimits, ReceivingBytes } from "./receiving-bytes.ts";
import type { Receiver } from "./receiving-bytes.ts";

const KIB = 1024;
const LARGE = 100 * KIB;
const LIMIT = 40 * LARGE;
const TIMEOUT_MS = 1000;

/** Notes what happens to requests, by name. */
class Scene {
  readonly clock = new ManualClock();
  readonly receiving: ReceivingBytes;
  readonly events: string[] = [];

  constructor(limitBytes = LIMIT) {
    this.receiving = new ReceivingBytes({ limitBytes, timeoutMs: TIMEOUT_MS, clock: this.clock });
  }

  request(name: string, origin = "client"): Receiver {
    return {
      origin,
      proceed: () => this.events.push(`${name} proceeds`),
      expire: () => this.events.push(`${name} expires`),
    };
  }

  /** Fills the limit with one request. */
  fill(): Receiver {
    const filling = this.request("filling");
    expect(this.receiving.admit(filling, LIMIT)).toBe("admitted");
    return filling;
  }
}

test("what waits proceeds when it fits, and nothing overtakes it", () => {
  const scene = new Scene();
  const { receiving } = scene;
  const filling = scene.request("filling");
  expect(receiving.admit(filling, LIMIT - LARGE)).toBe("admitted");
  expect(receiving.admit(scene.request("wide"), 2 * LARGE)).toBe("waits");
  expect(receiving.admit(scene.request("narrow"), LARGE)).toBe("waits");
  expect(scene.events).toEqual([]);
  receiving.release(filling);
  expect(scene.events).toEqual(["wide proceeds", "narrow proceeds"]);
  expect(receiving.count).toEqual({ bytes: 3 * LARGE, waiting: 0, refused: 0 });
});

test("connections take turns", () => {
  const scene = new Scene();
  const filling = scene.fill();
  for (const [name, origin] of [
    ["a1", "a"],
    ["a2", "a"],
    ["a3", "a"],
    ["b1", "b"],
  ] as const) {
    scene.receiving.admit(scene.request(name, origin), LARGE);
  }
  scene.receiving.release(filling);
  expect(scene.events).toEqual(["a1 proceeds", "b1 proceeds", "a2 proceeds", "a3 proceeds"]);
});

test("one that is withdrawn lets the next one in", () => {
  const scene = new Scene();
  const { receiving } = scene;
  expect(receiving.admit(scene.request("filling"), LIMIT - LARGE)).toBe("admitted");
  const wide = scene.request("wide");
  receiving.admit(wide, 2 * LARGE);
  receiving.admit(scene.request("narrow"), LARGE);
  receiving.release(wide);
  receiving.release(wide);
  expect(scene.events).toEqual(["narrow proceeds"]);
});

test("one that takes too long expires, and the next one gets its bytes", async () => {
  const scene = new Scene();
  scene.fill();
  await scene.clock.advance(TIMEOUT_MS / 2);
  scene.receiving.admit(scene.request("next"), LARGE);
  await scene.clock.advance(TIMEOUT_MS / 2 - 1);
  expect(scene.events).toEqual([]);
  await scene.clock.advance(1);
  expect(scene.events).toEqual(["filling expires", "next proceeds"]);
  await scene.clock.advance(TIMEOUT_MS);
  expect(scene.events).toEqual(["filling expires", "next proceeds", "next expires"]);
  expect(scene.receiving.count.bytes).toBe(0);
  expect(scene.clock.pending).toBe(0);
});

test("closing leaves no timer", () => {
  const scene = new Scene();
  scene.fill();
  scene.receiving.close();
  expect(scene.clock.pending).toBe(0);
});

test("small requests are admitted beside large ones up to half the limit", () => {
  const scene = new Scene();
  scene.fill();
  for (let bytes = 50 * KIB; bytes <= LIMIT / 2; bytes += 50 * KIB) {
    expect(scene.receiving.admit(scene.request("small"), 50 * KIB)).toBe("admitted");
  }
  expect(scene.receiving.admit(scene.request("small"), 50 * KIB)).toBe("refused");
  expect(scene.receiving.count).toEqual({ bytes: 1.5 * LIMIT, waiting: 0, refused: 1 });
});

test("large requests wait until half the limit is taken by their beginnings", () => {
  const scene = new Scene();
  scene.fill();
  for (let waiting = 1; waiting <= LIMIT / 2 / (128 * KIB); waiting += 1) {
    expect(scene.receiving.admit(scene.request("large"), LARGE)).toBe("waits");
  }
  expect(scene.receiving.admit(scene.request("large"), LARGE)).toBe("refused");
});

test("whatever comes and goes, the sum is bounded and nobody is forgotten", () => {
  const step = fc.oneof(
    fc.record({ kind: fc.constant("admit"), bytes: fc.integer({ min: 0, max: LIMIT }) }),
    fc.record({ kind: fc.constant("release"), bytes: fc.nat(100) }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const { receiving } = new Scene();
      const live = new Set<Receiver>();
      let proceeded = 0;
      let waited = 0;
      for (const { kind, bytes } of steps) {
        const [oldest] = live;
        if (kind === "admit") {
          const receiver = {
            origin: String(bytes % 3),
            proceed: () => void (proceeded += 1),
            expire: () => {},
          };
          const admission = receiving.admit(receiver, bytes);
          waited += admission === "waits" ? 1 : 0;
          if (admission !== "refused") {
            live.add(receiver);
          }
        } else if (oldest !== undefined) {
          live.delete(oldest);
          receiving.release(oldest);
        }
        expect(receiving.count.bytes).toBeLessThanOrEqual(1.5 * LIMIT);
        expect(receiving.count.waiting).toBeLessThanOrEqual(waited - proceeded);
      }
      for (const receiver of live) {
        receiving.release(receiver);
      }
      expect(receiving.count).toMatchObject({ bytes: 0, waiting: 0 });
      receiving.close();
    }),
  );
});

test.each([
  [{ maxReceivingBytes: 99 }, "maxReceivingBytes must be a whole number from 100, the largest"],
  [{ maxReceivingBytes: Number.NaN }, "maxReceivingBytes must be a whole number from 100"],
  [{ maxReceivingBytes: 100.5 }, "maxReceivingBytes must be a whole number from 100"],
  [{ receiveTimeoutMs: 0 }, "receiveTimeoutMs must be above 0, not 0"],
  [{ receiveTimeoutMs: Number.NaN }, "receiveTimeoutMs must be above 0, not NaN"],
])("limits %o are refused", (limits, message) => {
  expect(() =>
    checkReceivingLimits({
      maxReceivingBytes: 200,
      maxMessageBytes: 100,
      receiveTimeoutMs: 1,
      ...limits,
    }),
  ).toThrow(
    expect.objectContaining({
      code: "INVALID_ARGUMENT",
      message: expect.stringContaining(message),
    }),
  );
});
