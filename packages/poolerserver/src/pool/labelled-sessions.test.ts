import { PgwireError, PgwireErrorCode } from "@multipooler/pgwire";
import fc from "fast-check";
import { expect, test } from "vitest";
import { acquire, send } from "../../test/borrowing.ts";
import type { FakeBackend } from "../../test/fake-backend.ts";
import { setUp } from "../../test/scheduler-scene.ts";
import { settled } from "../../test/settled.ts";
import { TestUnit } from "../../test/unit-client.ts";
import { Taint } from "../classification/taint.ts";
import type { Label } from "./label.ts";
import { Labels } from "./labels.ts";
import type { UnitKind } from "./unit.ts";

const LABELS = new Labels({ user: "app", settingsCacheSize: 100 });

function label(settings: Readonly<Record<string, string>>): Label {
  const made = LABELS.of({
    user: "",
    keys: undefined,
    settings: new Map(Object.entries(settings)),
  });
  if (made === undefined) {
    throw new Error("these are no settings");
  }
  return made;
}

const A = label({ work_mem: "a" });
const B = label({ work_mem: "b" });
const ROLE = label({ role: "r" });

function preludesOf(backend: FakeBackend | undefined): (string | undefined)[] {
  return backend?.requests.map(({ prelude }) => prelude?.statements[0]) ?? [];
}

/** Runs one statement on a backend of its own. */
async function runOne(
  scene: ReturnType<typeof setUp>,
  wanted: Label | undefined,
  onSent?: (backend: FakeBackend) => void,
): Promise<void> {
  const lease = await acquire(scene.pool, { ...(wanted && { label: wanted }) });
  const ended = send(lease.backend, "select 1");
  const backend = scene.server.backends.find((one) => one === lease.backend);
  if (backend !== undefined) {
    (onSent ?? ((one): void => one.requests.at(-1)?.succeed()))(backend);
  }
  await ended;
  await lease.release();
  await settled();
}

test("a session of the same label is taken as it is", async () => {
  const scene = setUp({ capacity: 1 });
  for (const wanted of [A, A, undefined, undefined, B]) {
    await runOne(scene, wanted);
  }
  expect(preludesOf(scene.server.backends[0])).toEqual([
    "SELECT pg_catalog.set_config(E'work_mem', E'a', false)",
    undefined,
    "SELECT pg_catalog.set_config(E'work_mem', NULL, false)",
    undefined,
    "SELECT pg_catalog.set_config(E'work_mem', E'b', false)",
  ]);
});

test("who runs is set again for each unit", async () => {
  const scene = setUp({ capacity: 1 });
  await runOne(scene, ROLE);
  await runOne(scene, ROLE);
  expect(preludesOf(scene.server.backends[0])[1]).toBe(
    "SELECT pg_catalog.set_config(E'role', NULL, false), pg_catalog.set_config(E'role', E'r', false)",
  );
});

test("a session keeps its label when the next one is refused", async () => {
  const scene = setUp({ capacity: 1 });
  await runOne(scene, A);
  await runOne(scene, B, (backend) => {
    backend.requests.at(-1)?.failLabel(new PgwireError(PgwireErrorCode.Postgres, "bad value"));
  });
  await runOne(scene, A);
  expect(preludesOf(scene.server.backends[0])[2]).toBeUndefined();
});

test("a session that was given back unused keeps its label, and the next one gets its own", async () => {
  const scene = setUp({ capacity: 1 });
  const lease = await acquire(scene.pool, { label: A });
  void lease.release();
  await runOne(scene, undefined);
  expect(preludesOf(scene.server.backends[0])).toEqual([undefined]);
});

test("cleaning takes the label away, unless it is that of sequences alone", async () => {
  const scene = setUp({ capacity: 1, onRequest: (request) => request.succeed() });
  for (const [taint, isKept] of [
    [Taint.Sequences, true],
    [Taint.Settings, false],
    [Taint.State, false],
  ] as const) {
    await runOne(scene, A, () => undefined);
    const lease = await acquire(scene.pool, { label: A });
    await send(lease.backend, "select 2");
    lease.taint(taint);
    await lease.release();
    await runOne(scene, A, () => undefined);
    expect(preludesOf(scene.server.backends[0]).at(-1) === undefined).toBe(isKept);
  }
});

test("nothing is put behind a request until its label is known to hold", async () => {
  const scene = setUp({ capacity: 1 });
  await runOne(scene, undefined);
  const first = new TestUnit({ id: 0, origin: "a", kind: "shareable", label: A });
  const second = new TestUnit({ id: 1, origin: "b", kind: "shareable", label: A });
  const other = new TestUnit({ id: 2, origin: "c", kind: "shareable" });
  scene.pool.submit(first);
  const [backend] = scene.server.backends;
  if (first.outcome.type === "held") {
    void send(first.outcome.lease.backend, "select 1");
  }
  scene.pool.submit(second);
  scene.pool.submit(other);
  expect(second.outcome.type).toBe("waiting");
  backend?.requests.at(-1)?.label();
  expect(second.outcome.type).toBe("held");
  expect(other.outcome.type).toBe("waiting");
});

test("sessions are shared among equal labels only", async () => {
  const scene = setUp({ capacity: 1 });
  await runOne(scene, A);
  const units = [A, B, A, undefined].map(
    (wanted, id) => new TestUnit({ id, origin: `${id}`, kind: "shareable", label: wanted }),
  );
  for (const unit of units) {
    scene.pool.submit(unit);
  }
  expect(units.map(({ outcome }) => outcome.type)).toEqual([
    "held",
    "waiting",
    "waiting",
    "waiting",
  ]);
});

test("a unit that wants what a session has overtakes, but nobody is overtaken more than 8 times", async () => {
  const scene = setUp({ capacity: 1, waitTimeoutMs: 0 });
  await runOne(scene, A);
  const held = await acquire(scene.pool, { label: A });
  const order: number[] = [];
  const units = [B, ...Array<Label>(10).fill(A)].map(
    (wanted, id) =>
      new TestUnit({
        id,
        origin: `${id}`,
        kind: "exclusive",
        label: wanted,
        onGranted: (unit) => {
          order.push(unit.id);
          if (unit.outcome.type === "held") {
            const { lease } = unit.outcome;
            void send(lease.backend, "select 1").then(() => lease.release());
          }
        },
      }),
  );
  for (const unit of units) {
    scene.pool.submit(unit);
  }
  void held.release();
  while (order.length < units.length) {
    scene.server.backends[0]?.requests.at(-1)?.succeed();
    await settled();
  }
  expect(order.slice(0, 9)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 0]);
});

test("the least recently used session gets the label that none has, after those without one", async () => {
  const scene = setUp({ capacity: 3, limit: 3 });
  const wanted = [A, B, undefined];
  const leases = await Promise.all(
    wanted.map(async (one) => await acquire(scene.pool, { ...(one && { label: one }) })),
  );
  for (const { backend } of leases) {
    void send(backend, "select 1");
  }
  for (const { requests } of scene.server.backends) {
    requests.at(-1)?.succeed();
  }
  for (const lease of leases) {
    void lease.release();
    await scene.clock.advance(1);
  }
  const [a, b, plain] = leases.map(({ backend }) => backend);
  const c = await acquire(scene.pool, { label: label({ work_mem: "c" }) });
  expect(c.backend).toBe(plain);
  const d = await acquire(scene.pool, { label: label({ work_mem: "d" }) });
  expect(d.backend).toBe(a);
  expect((await acquire(scene.pool, { label: B })).backend).toBe(b);
});

test("settings that are wanted again and again get a session each, others do not", async () => {
  const scene = setUp({ capacity: 3 });
  for (let client = 0; client < 10; client += 1) {
    await runOne(scene, label({ application_name: `${client}` }));
  }
  expect(scene.server.live).toHaveLength(1);
  for (const wanted of [A, A, B, B, A, A, B, B]) {
    await runOne(scene, wanted);
  }
  expect(scene.server.live).toHaveLength(2);
  const before = scene.server.live.flatMap((backend) => backend.requests).length;
  await runOne(scene, A);
  await runOne(scene, B);
  const after = scene.server.live.flatMap((backend) => backend.requests);
  expect(after.length - before).toBe(2);
  expect(scene.server.live.map((backend) => preludesOf(backend).at(-1))).toEqual([
    undefined,
    undefined,
  ]);
});

test("sessions with former defaults are not used again, shared ones neither", async () => {
  const scene = setUp({ capacity: 2 });
  await runOne(scene, undefined);
  const [first] = scene.server.backends;
  const unit = new TestUnit({ id: 0, origin: "a", kind: "shareable" });
  scene.pool.submit(unit);
  if (unit.outcome.type === "held") {
    void send(unit.outcome.lease.backend, "select 1");
  }
  scene.pool.renew();
  expect(first?.hasEnded).toBe(false);
  const next = new TestUnit({ id: 1, origin: "b", kind: "shareable" });
  scene.pool.submit(next);
  await settled();
  expect(next.outcome.type === "held" && next.outcome.lease.backend !== first).toBe(true);
  first?.requests.at(-1)?.succeed();
  if (unit.outcome.type === "held") {
    void unit.outcome.lease.release();
  }
  expect(first?.closeCalls).toBe(1);
});

test("a read-only session is not granted to whom a setting would let write", async () => {
  const scene = setUp();
  scene.pool.setAccess("read-only");
  const lifting = label({ default_transaction_read_only: "off" });
  await expect(acquire(scene.pool, { label: lifting })).rejects.toMatchObject({
    code: "READ_ONLY",
  });
  await expect(acquire(scene.pool, { label: A })).resolves.toBeDefined();
});

test("text in an encoding that hides quotes has a session to itself, which is closed after it", async () => {
  const scene = setUp();
  const lease = await acquire(scene.pool, {
    label: label({ client_encoding: "SJIS" }),
    kind: "shareable",
  });
  void lease.release();
  await settled();
  expect(scene.server.live).toEqual([]);
});

/** What a random client does next. */
type Step =
  | { readonly type: "submit"; readonly label: number; readonly kind: UnitKind }
  | {
      readonly type: "answer";
      readonly backend: number;
      readonly how: "succeed" | "fail" | "failLabel";
    }
  | { readonly type: "release"; readonly unit: number; readonly taint: number }
  | { readonly type: "lose"; readonly backend: number }
  | { readonly type: "advance"; readonly ms: number };

const MODEL_LABELS = [undefined, A, B, label({ work_mem: "a", jit: "off" }), ROLE];
const stepOf = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      type: fc.constant("submit" as const),
      label: fc.nat(4),
      kind: fc.constantFrom<UnitKind>("exclusive", "shareable", "mayWait"),
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      type: fc.constant("answer" as const),
      backend: fc.nat(3),
      how: fc.constantFrom(
        "succeed" as const,
        "succeed" as const,
        "fail" as const,
        "failLabel" as const,
      ),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      type: fc.constant("release" as const),
      unit: fc.nat(5),
      taint: fc.constantFrom(0, 0, Taint.Settings, Taint.Sequences, Taint.State),
    }),
  },
  { weight: 1, arbitrary: fc.record({ type: fc.constant("lose" as const), backend: fc.nat(3) }) },
  {
    weight: 1,
    arbitrary: fc.record({
      type: fc.constant("advance" as const),
      ms: fc.constantFrom(1, 150, 1200),
    }),
  },
);

test("whatever happened before, a statement runs under the settings of its label", async () => {
  let statements = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.array(stepOf, { minLength: 20, maxLength: 80, size: "max" }),
      async (steps) => {
        const scene = setUp({ capacity: 3, waitTimeoutMs: 0, sharingDepth: 4 });
        const units: TestUnit[] = [];
        const wantedBySql = new Map<string, Label | undefined>();
        const release = (unit: TestUnit, taint: number): void => {
          if (unit.outcome.type === "held") {
            const { lease } = unit.outcome;
            unit.outcome = { type: "given back" };
            lease.taint(taint);
            void lease.release();
          }
        };
        const run = (step: Step): void => {
          switch (step.type) {
            case "submit": {
              const wanted = MODEL_LABELS[step.label];
              const sql = `statement ${units.length}`;
              wantedBySql.set(sql, wanted);
              const unit = new TestUnit({
                id: units.length,
                origin: `${units.length % 3}`,
                kind: step.kind,
                label: wanted,
                onGranted: (granted) => {
                  if (granted.outcome.type === "held") {
                    void send(granted.outcome.lease.backend, sql).then(() => {
                      if (granted.kind !== "exclusive") {
                        release(granted, 0);
                      }
                    });
                  }
                },
              });
              units.push(unit);
              scene.pool.submit(unit);
              return;
            }
            case "answer": {
              const { live } = scene.server;
              const backend = live[step.backend % Math.max(live.length, 1)];
              const request = backend?.requests.shift();
              if (backend === undefined || request === undefined) {
                return;
              }
              const error = new PgwireError(PgwireErrorCode.Postgres, "no");
              if (step.how === "failLabel" && request.prelude !== undefined) {
                request.failLabel(error);
                return;
              }
              request.label();
              if (wantedBySql.has(request.sql)) {
                statements += 1;
                const values = wantedBySql.get(request.sql)?.settings.values ?? new Map();
                expect(backend.settings, request.sql).toEqual(values);
              }
              if (step.how === "fail") {
                request.fail(error);
              } else {
                request.succeed();
              }
              return;
            }
            case "release": {
              const held = units.filter(
                ({ outcome, kind }) =>
                  kind === "exclusive" && outcome.type === "held" && outcome.lease.backend.idle,
              );
              const unit = held[step.unit % Math.max(held.length, 1)];
              if (unit !== undefined) {
                release(unit, step.taint);
              }
              return;
            }
            case "lose":
              scene.server.live[step.backend]?.lose();
              return;
            case "advance":
              scene.clock.step(step.ms);
          }
        };
        for (const step of steps) {
          run(step);
          await settled();
        }
        const closing = scene.pool.close();
        scene.clock.step(300);
        await closing;
      },
    ),
    { numRuns: 300 },
  );
  expect(statements).toBeGreaterThan(1000);
}, 60_000);
