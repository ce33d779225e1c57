import { PoolerRole, ServingStatus } from "@multipooler/controller-api";
import { PoolerErrorCode, ReservationReason } from "@multipooler/query-service";
import type { Outcome, Reservation } from "@multipooler/query-service";
import type { ManualClock } from "@multipooler/timing/testing";
import fc from "fast-check";
import { expect, test } from "vitest";
import type { FakeBackend } from "../../test/fake-backend.ts";
import { RecordingSink } from "../../test/recording-sink.ts";
import { setUp as setUpScheduler } from "../../test/scheduler-scene.ts";
import { settled } from "../../test/settled.ts";
import { soleUser } from "../../test/sole-user.ts";
import { noChannels } from "../../test/no-channels.ts";
import { silentLogger } from "../../test/silent-logger.ts";
import { FAILS, SUCCEEDS, TransactionServer } from "../../test/transaction-server.ts";
import { Classifier } from "../classification/classifier.ts";
import { MultiPoolerError } from "../error.ts";
import type { Scheduler } from "../pool/scheduler.ts";
import { Sessions } from "../session/sessions.ts";
import { Labels } from "../pool/labels.ts";
import { ServingGate } from "../serving/serving-gate.ts";
import { StatementRegistry } from "../statements/statement-registry.ts";
import { QueryExecutor } from "../execution/query-executor.ts";
import { ReservationIds } from "./reservation-ids.ts";
import { Reservations } from "./reservations.ts";

const { Transaction, TempTable, Portal, SessionAdvisoryLock, SetSeed } = ReservationReason;
const CALLER = { user: "", settings: new Map<string, string>(), origin: "" };
const INACTIVITY_MS = 30_000;

/** What the contract's tables say about one client's reservation. `undefined`: it holds none. */
interface Held {
  bits: number;
  readonly pins: Set<string>;
  /** Its transaction has failed. */
  isFailed: boolean;
}

/** The client, the pooler and the model side by side. */
class World {
  readonly clock: ManualClock;
  readonly scheduler: Scheduler;
  readonly gate: ServingGate;
  readonly executor: QueryExecutor;
  readonly reservations: Reservations;
  readonly server: TransactionServer;
  readonly backends: readonly FakeBackend[];
  held: Held | undefined;
  told: Reservation | undefined;
  readonly ids = new Set<bigint>();

  constructor() {
    this.server = new TransactionServer(() => this.backend);
    const scene = setUpScheduler({
      onRequest: this.server.answer,
      capacity: 1,
      idleTimeoutMs: 0,
      maxLifetimeMs: 0,
      waitTimeoutMs: 0,
    });
    const { clock, pool: scheduler } = scene;
    const logger = silentLogger;
    this.clock = clock;
    this.scheduler = scheduler;
    this.backends = scene.server.backends;
    this.gate = new ServingGate({
      drainGraceMs: 3000,
      isOpen: () => true,
      prepare: () => undefined,
      clock,
      logger,
    });
    const { gate } = this;
    const engine = {
      scheduler,
      clock,
      terminate: (): Promise<void> => Promise.resolve(),
      registry: new StatementRegistry(),
    };
    const served = { database: "app", tableGroup: "", shard: "", user: "app_user" };
    const classifier = new Classifier({ admin: () => Promise.resolve([]) });
    this.reservations = new Reservations({
      engine,
      ids: new ReservationIds(clock),
      gate,
      inactivityTimeoutMs: INACTIVITY_MS,
      clock,
      logger,
    });
    const labels = new Labels({ user: served.user, settingsCacheSize: 10 });
    const sessions = new Sessions({
      channels: noChannels,
      ...engine,
      scheduler: soleUser(scheduler),
      served,
      gate,
      classifier,
      labels,
      logger,
    });
    const { reservations } = this;
    this.executor = new QueryExecutor({
      ...engine,
      served,
      gate,
      classifier,
      labels,
      sessions,
      credentials: { get: () => Promise.resolve(undefined) },
      notifications: {
        subscribe: () => {
          throw new Error("nobody listens here");
        },
      },
      reservations,
    });
  }

  get backend(): FakeBackend {
    const backend = this.backends.at(-1);
    if (backend === undefined) {
      throw new Error("there is no session");
    }
    return backend;
  }

  get id(): bigint {
    return this.told?.id ?? 1n;
  }

  /** Runs a call, and compares what it tells with the model. */
  async check(call: Promise<Outcome>, fails: boolean): Promise<void> {
    let failed = false;
    try {
      this.told = (await call).reservation;
    } catch (thrown) {
      if (!(thrown instanceof MultiPoolerError)) {
        throw thrown;
      }
      failed = true;
      this.told = thrown.reservation;
    }
    expect(this.told?.reasons).toBe(this.held?.bits);
    expect(failed).toBe(fails);
    const count = this.held === undefined ? 0 : 1;
    expect(this.reservations.size).toBe(count);
    expect(this.gate.counts).toEqual({ single: 0, reserved: count });
  }

  settle(): void {
    if (this.held?.bits === 0) {
      this.held = undefined;
    }
  }
}

interface Wish {
  readonly reasons: number;
  readonly pins: readonly string[];
  readonly releases: readonly string[];
  readonly succeeds: boolean;
  readonly rechecks: boolean;
}
type Step =
  | ({ readonly type: "statement" } & Wish)
  | {
      readonly type: "conclude";
      readonly conclusion: "commit" | "rollback";
      readonly chain: boolean;
      readonly releases: "all" | readonly string[];
      readonly knowsSettings: boolean;
    }
  | { readonly type: "discard" }
  | { readonly type: "release"; readonly keepsSticky: boolean }
  | { readonly type: "lock"; readonly isHeld: boolean }
  | { readonly type: "lose" }
  | { readonly type: "wait" };

function unpin(held: Held, names: readonly string[]): void {
  for (const name of names) {
    held.pins.delete(name);
  }
  if (names.length > 0 && held.pins.size === 0) {
    held.bits &= ~Portal;
  }
}

/** Section 14 of the contract, for a statement. Returns whether it fails. */
function statement(world: World, wish: Wish): boolean {
  const held = (world.held ??= { bits: 0, pins: new Set(), isFailed: false });
  const before = held.bits;
  if ((wish.reasons & Transaction & ~before) !== 0) {
    held.isFailed = false;
  }
  const isOpen = ((before | wish.reasons) & Transaction) !== 0;
  const fails = !wish.succeeds || held.isFailed;
  held.isFailed = isOpen && fails;
  const added = wish.pins.filter((name) => !held.pins.has(name));
  held.bits |= wish.reasons | (added.length > 0 ? Portal : 0);
  for (const name of added) {
    held.pins.add(name);
  }
  if (fails) {
    unpin(held, added);
    held.bits &= ~(held.bits & ~before & (TempTable | Portal));
  } else {
    unpin(held, before === 0 ? [] : wish.releases);
    const asks = wish.rechecks && (held.bits & Transaction) === 0;
    if (asks && !world.server.holdsLock) {
      held.bits &= ~SessionAdvisoryLock;
    }
  }
  world.settle();
  return fails;
}

/** Section 13.8. Returns whether it fails. */
function conclude(
  world: World,
  { conclusion, chain, releases }: Step & { type: "conclude" },
): boolean {
  const { held } = world;
  if (held === undefined) {
    return true;
  }
  const isOpen = (held.bits & Transaction) !== 0;
  if (!isOpen && (conclusion === "commit" || chain)) {
    return true;
  }
  const isCommitted = isOpen && conclusion === "commit" && !held.isFailed;
  held.isFailed = false;
  held.bits &= chain ? ~0 : ~Transaction;
  if (!isCommitted) {
    unpin(held, releases === "all" ? [...held.pins] : releases);
    held.bits &= releases === "all" ? ~Portal : ~0;
  }
  world.settle();
  return false;
}

async function perform(world: World, step: Step): Promise<void> {
  const { executor, id } = world;
  const sink = new RecordingSink();
  const about = { caller: CALLER, id };
  switch (step.type) {
    case "statement": {
      const { reasons, pins, releases, rechecks } = step;
      const isNew = world.held === undefined;
      if (isNew && reasons === 0) {
        return;
      }
      const sql = step.succeeds ? SUCCEEDS : FAILS;
      const wish = { reasons, pins, recheckAdvisoryLocks: rechecks };
      const fails = statement(world, step);
      const call = executor.streamExecute(
        {
          caller: CALLER,
          place: isNew ? { type: "reserve", ...wish } : { type: "reserved", id, releases, ...wish },
          statement: { type: "simple", sql },
        },
        sink,
      );
      await world.check(call, fails);
      if (isNew && world.told !== undefined) {
        expect(world.ids.has(world.told.id)).toBe(false);
        world.ids.add(world.told.id);
      }
      return;
    }
    case "conclude": {
      const { conclusion, chain, releases, knowsSettings } = step;
      const fails = conclude(world, step);
      const rollbackSettings = knowsSettings ? CALLER.settings : undefined;
      const wish = { ...about, conclusion, chain, releases, rollbackSettings };
      await world.check(executor.concludeTransaction(wish, sink), fails);
      return;
    }
    case "discard": {
      const { held } = world;
      const fails = held === undefined || held.isFailed;
      if (held !== undefined) {
        held.bits &= fails ? 0 : ~TempTable;
        world.settle();
      }
      await world.check(executor.discardTempTables(about, sink), fails);
      return;
    }
    case "release": {
      const stays = step.keepsSticky && ((world.held?.bits ?? 0) & SetSeed) !== 0;
      world.held = stays ? { bits: SetSeed, pins: new Set(), isFailed: false } : undefined;
      const { keepsSticky } = step;
      await world.check(executor.releaseReservation({ ...about, keepsSticky }), false);
      return;
    }
    case "lock":
      world.server.holdsLock = step.isHeld;
      return;
    case "lose":
      if (world.backends.length > 0) {
        world.backend.lose();
        world.held = undefined;
        await settled();
      }
      return;
    case "wait":
      world.clock.step(INACTIVITY_MS + INACTIVITY_MS / 10);
      world.held = undefined;
      await settled();
  }
}

const NAMES = fc.subarray(["a", "b"]);
const STEP: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      type: fc.constant("statement" as const),
      reasons: fc.oneof(fc.constantFrom(0, 1, 2, 4, 64, 128), fc.integer({ min: 0, max: 255 })),
      pins: NAMES,
      releases: NAMES,
      succeeds: fc.boolean(),
      rechecks: fc.boolean(),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      type: fc.constant("conclude" as const),
      conclusion: fc.constantFrom("commit" as const, "rollback" as const),
      chain: fc.boolean(),
      releases: fc.oneof(fc.constant("all" as const), NAMES),
      knowsSettings: fc.boolean(),
    }),
  },
  { weight: 1, arbitrary: fc.constant({ type: "discard" as const }) },
  {
    weight: 1,
    arbitrary: fc.record({ type: fc.constant("release" as const), keepsSticky: fc.boolean() }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ type: fc.constant("lock" as const), isHeld: fc.boolean() }),
  },
  { weight: 1, arbitrary: fc.constant({ type: "lose" as const }) },
  { weight: 1, arbitrary: fc.constant({ type: "wait" as const }) },
);

test("a reservation has the reasons that the contract says, and none is left behind", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(STEP, { maxLength: 40 }), async (steps) => {
      const world = new World();
      await world.gate.setTarget(
        { status: ServingStatus.Serving, role: PoolerRole.Primary, reason: "the test" },
        undefined,
      );
      for (const step of steps) {
        await perform(world, step);
      }
      await perform(world, { type: "release", keepsSticky: false });
      const lost = world.executor.concludeTransaction(
        {
          caller: CALLER,
          id: [...world.ids].at(-1) ?? 1n,
          conclusion: "commit",
          chain: false,
          releases: [],
        },
        new RecordingSink(),
      );
      await expect(lost).rejects.toMatchObject({ code: PoolerErrorCode.ReservationLost });
      // Whatever became of the backend: the next one has no transaction open, and there is one.
      await world.executor.streamExecute(
        { caller: CALLER, place: { type: "any" }, statement: { type: "simple", sql: SUCCEEDS } },
        new RecordingSink(),
      );
      expect(world.backend.transactionStatus).toBe("I");
      await world.gate.close();
      await world.scheduler.close();
      expect(world.backends.every(({ hasEnded }) => hasEnded)).toBe(true);
    }),
    { numRuns: 600 },
  );
}, 60_000);
