import type { ScramKeys } from "@multipooler/query-service";
import { ManualClock } from "@multipooler/timing/testing";
import { expect, test } from "vitest";
import { ActivityTotals } from "./activity-totals.ts";
import { CountingShare } from "../../test/counting-share.ts";
import { FakeServer } from "../../test/fake-server.ts";
import { settled } from "../../test/settled.ts";
import { silentLogger } from "../../test/silent-logger.ts";
import { TestUnit } from "../../test/unit-client.ts";
import { MultiPoolerError, errorDiagnostic } from "../error.ts";
import type { Identity } from "./label.ts";
import { Labels } from "./labels.ts";
import { UserBudget } from "./user-budget.ts";
import { UserPools } from "./user-pools.ts";

const LABELS = new Labels({ user: "app", settingsCacheSize: 10 });

const keysOf = (byte: number): ScramKeys => ({
  clientKey: Buffer.alloc(32, byte),
  serverKey: Buffer.alloc(32, byte),
});

interface Scene {
  readonly pools: UserPools;
  readonly budget: UserBudget;
  readonly servers: Map<string, FakeServer>;
  readonly clock: ManualClock;
  readonly share: CountingShare;
  readonly suspicions: MultiPoolerError[];
  readonly submit: (user: string, keys?: ScramKeys) => TestUnit;
}

const nameOf = ({ user, keys }: Identity): string => `${user} ${keys?.clientKey[0] ?? "none"}`;

function setUp({ capacity = 4, acceptsAtOnce = true } = {}): Scene {
  const clock = new ManualClock();
  const share = new CountingShare(100);
  const servers = new Map<string, FakeServer>();
  const suspicions: MultiPoolerError[] = [];
  const budget = new UserBudget({ share, capacity, clock });
  const pools = new UserPools(
    {
      openBackend: (identity) => (access, options) => {
        const name = nameOf(identity);
        const server = servers.get(name) ?? new FakeServer({ acceptsAtOnce });
        servers.set(name, server);
        return server.open(access, options);
      },
      database: "app",
      user: "app",
      capacity,
      budget,
      demandWindowMs: 3000,
      idleTimeoutMs: 1000,
      maxLifetimeMs: 0,
      waitTimeoutMs: 500,
      maxQueueBytes: 1_000_000,
      totals: new ActivityTotals(),
      sharingDepth: 64,
      closeGraceMs: 300,
      processes: { activities: () => Promise.resolve([]), endIdle: () => Promise.resolve() },
      suspect: (cause) => suspicions.push(cause),
      clock,
      random: () => 0,
      logger: silentLogger,
    },
    "read-write",
  );
  let id = 0;
  const submit = (user: string, keys?: ScramKeys): TestUnit => {
    const label = LABELS.of({ user, keys, settings: new Map() });
    id += 1;
    const unit = new TestUnit({ id, origin: `${id}`, kind: "exclusive", label });
    pools.submit(unit);
    return unit;
  };
  return { pools, budget, servers, clock, share, suspicions, submit };
}

function release(unit: TestUnit): void {
  if (unit.outcome.type === "held") {
    void unit.outcome.lease.release();
  }
}

function backendOf({ outcome }: TestUnit): unknown {
  return outcome.type === "held" ? outcome.lease.backend : undefined;
}

function refuse(server: FakeServer | undefined, code: string): void {
  const error = new MultiPoolerError(
    code.startsWith("28") ? "AUTHENTICATION_FAILED" : "PRE_EXECUTION_UNAVAILABLE",
    "refused",
    { diagnostic: errorDiagnostic(code, "refused") },
  );
  server?.dials[0]?.refuse(error);
}

test("a session is lent to those who come with the same user and keys only", async () => {
  const { submit } = setUp();
  const first = submit("a", keysOf(1));
  await settled();
  const backend = backendOf(first);
  expect(backend).toBeDefined();
  release(first);
  for (const [user, keys] of [
    ["a", keysOf(2)],
    ["b", keysOf(1)],
    ["a", undefined],
    ["", undefined],
    ["a", { ...keysOf(1), serverKey: Buffer.alloc(32, 9) }],
  ] as const) {
    const other = submit(user, keys);
    await settled();
    expect(backendOf(other)).not.toBe(backend);
    release(other);
  }
  expect(backendOf(submit("a", keysOf(1)))).toBe(backend);
});

test("wrong keys cost their caller an error, and nobody else anything", async () => {
  const { servers, share, suspicions, submit, pools, clock } = setUp({ acceptsAtOnce: false });
  const wrong = submit("a", keysOf(1));
  await settled();
  refuse(servers.get("a 1"), "28P01");
  await settled();
  expect(wrong.outcome).toEqual({ type: "refused", code: "AUTHENTICATION_FAILED" });
  await clock.advance(1);
  expect([suspicions, share.used, clock.pending]).toEqual([[], 0, 0]);
  await pools.close();
});

test("a role that has all connections that it may have says nothing about the server", async () => {
  const { servers, share, suspicions, submit } = setUp({ acceptsAtOnce: false });
  submit("a", keysOf(1));
  await settled();
  refuse(servers.get("a 1"), "53300");
  await settled();
  expect([suspicions, share.fullCount]).toEqual([[], 0]);
});

test("a user whose sessions are all gone is forgotten, and may come again", async () => {
  const { servers, submit, clock, share, pools, budget } = setUp();
  const unit = submit("a", keysOf(1));
  await settled();
  release(unit);
  await clock.advance(1000);
  expect(servers.get("a 1")?.live).toEqual([]);
  expect(share.used).toBe(0);
  const again = submit("a", keysOf(1));
  await settled();
  expect(backendOf(again)).toBeDefined();
  release(again);
  await pools.close();
  expect(budget.size).toBe(0);
  budget.close();
  expect(clock.pending).toBe(0);
  expect(share.isWatched).toBe(false);
});

test("a user who waits gets a session of one who has more than a fair part", async () => {
  const { submit, share, clock } = setUp({ capacity: 4 });
  const flood = Array.from({ length: 10 }, () => submit("a", keysOf(1)));
  await settled();
  await clock.advance(20);
  const other = submit("b", keysOf(2));
  await clock.advance(20);
  expect(other.outcome.type).toBe("waiting");
  const held = flood.filter(({ outcome }) => outcome.type === "held");
  expect(held).toHaveLength(4);
  release(held[0] ?? other);
  await settled();
  await clock.advance(20);
  expect(other.outcome.type).toBe("held");
  expect(share.used).toBe(4);
});

test("nobody who waits is forgotten when all give back at the same time", async () => {
  const { submit, clock } = setUp({ capacity: 2 });
  const units = Array.from({ length: 12 }, (_, index) => submit(`user ${index % 4}`, keysOf(1)));
  for (let round = 0; round < 40; round += 1) {
    await settled();
    for (const unit of units.filter(({ outcome }) => outcome.type === "held")) {
      release(unit);
      unit.outcome = { type: "given back" };
    }
    await clock.advance(10);
  }
  expect(units.map(({ outcome }) => outcome.type)).toEqual(Array(12).fill("given back"));
});

test("every pool changes its access, and replaces its sessions", async () => {
  const { pools, servers, submit } = setUp();
  for (const user of ["", "a"]) {
    const unit = submit(user);
    await settled();
    release(unit);
  }
  const sessions = (): number =>
    [...servers.values()].reduce((sum, { live }) => sum + live.length, 0);
  expect(sessions()).toBe(2);
  pools.renew();
  expect(sessions()).toBe(0);
  pools.setAccess("read-only");
  submit("a");
  await settled();
  expect(servers.get("a none")?.live.at(-1)?.parameters.size).toBe(1);
});

test("a unit that waits can be withdrawn, and closing refuses the others", async () => {
  const { pools, submit } = setUp({ acceptsAtOnce: false });
  const [one, two] = [submit("a", keysOf(1)), submit("a", keysOf(1))];
  expect([pools.withdraw(one), pools.withdraw(one)]).toEqual([true, false]);
  const closing = pools.close();
  expect(two.outcome).toEqual({ type: "refused", code: "NOT_OPEN" });
  expect(submit("b", keysOf(1)).outcome).toEqual({ type: "refused", code: "NOT_OPEN" });
  await closing;
});

test("paused pools grant nothing, and are vacant when what runs has come back", async () => {
  const { pools, submit, servers } = setUp();
  const running = submit("a", keysOf(1));
  await settled();
  expect(backendOf(running)).toBeDefined();
  pools.pause();
  const held = submit("a", keysOf(1));
  const ofAnother = submit("b", keysOf(2));
  let isVacant = false;
  const vacant = pools.untilVacant(undefined).then(() => (isVacant = true));
  await settled();
  expect([held.outcome.type, ofAnother.outcome.type, isVacant]).toEqual([
    "waiting",
    "waiting",
    false,
  ]);
  release(running);
  await vacant;
  expect(servers.get("a 1")?.live).toEqual([]);
  pools.resume();
  await settled();
  expect([held.outcome.type, ofAnother.outcome.type]).toEqual(["held", "held"]);
  release(held);
  release(ofAnother);
  await pools.close();
});

test("what waits in a paused pool waits no longer than its limit", async () => {
  const { pools, submit, clock } = setUp();
  pools.pause();
  const held = submit("a", keysOf(1));
  await clock.advance(520);
  expect(held.outcome).toMatchObject({ type: "refused", code: "POOL_EXHAUSTED" });
  await pools.close();
});
