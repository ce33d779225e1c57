import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { ManualClock } from "@multipooler/timing/testing";
import { PoolerLifecycleStatus } from "@multipooler/topo";
import type { Multipooler, PoolerOwner } from "@multipooler/topo";
import { describe, expect, test } from "vitest";
import { ManagerErrorCode } from "../src/manager-error.ts";
import type { TopologyStatus } from "../src/manager-status.ts";
import { processOf } from "../src/record/process-identity.ts";
import { Observer, RegisteredPooler } from "./registration-fixture.ts";
import type { RecordStore } from "./record-store.ts";

const isActive = ({ lifecycleStatus }: Multipooler): boolean =>
  lifecycleStatus?.status === PoolerLifecycleStatus.LIFECYCLE_ACTIVE;

/** The longest that the record may be wrong in a store that answers. */
const LIMIT_MS = 10_000;

/** A process on a machine that cannot be looked at from here. */
const ELSEWHERE: PoolerOwner = {
  run: "another run",
  address: "db2.example:7",
  since: new Date("2026-11-26T10:00:00Z"),
  process: { space: "another machine", pid: 1, startTime: "1" },
};

/** Declares the tests of what a store and other processes may do to a pooler that is registered. */
export function describeRegistration(name: string, makeStore: () => Promise<RecordStore>): void {
  describe(`a pooler registered in ${name}`, () => {
    test("its record and its cell's come back when the store comes back empty", async () => {
      await using store = await makeStore();
      await using observer = new Observer(store);
      await using pooler = await register(store, observer);
      await store.lose();
      await untilActive(observer);
      await pooler.until((seen) => statusOf(seen).registered);
      expect(statusOf(pooler)).toMatchObject({ registered: true, lastError: undefined });
      expect(await observer.owner()).toMatchObject({ address: "db1.example:1" });
    });

    test("its record says the same again when the store comes back as it was before", async () => {
      await using store = await makeStore();
      await using observer = new Observer(store);
      await observer.prepare();
      await using pooler = new RegisteredPooler(store);
      await pooler.registration.open();
      const restore = await store.backUp();
      pooler.registration.announceActive("PostgreSQL answers");
      await untilActive(observer);
      await restore();
      await untilActive(observer);
      expect(statusOf(pooler)).toMatchObject({ registered: true, lastError: undefined });
    });

    test("its record comes back when somebody deletes it; until then it is not registered", async () => {
      await using store = await makeStore();
      await using observer = new Observer(store);
      await using pooler = await register(store, observer);
      await observer.deleteRecord();
      await pooler.until((seen) => !statusOf(seen).registered);
      await pooler.until((seen) => statusOf(seen).registered);
      expect(isActive(await observer.record())).toBe(true);
    });

    test("its cell's record comes back when somebody deletes it; until then it is not registered", async () => {
      await using store = await makeStore();
      await using observer = new Observer(store);
      await using pooler = await register(store, observer);
      await observer.deleteCell();
      await pooler.until((seen) => !statusOf(seen).registered);
      expect(statusOf(pooler).lastError).toBe('the record of cell "zone1" is gone');
      await pooler.until((seen) => statusOf(seen).registered);
      await untilActive(observer);
    });

    test("a second process under its name is refused, and changes nothing", async () => {
      await using store = await makeStore();
      await using observer = new Observer(store);
      await using first = await register(store, observer);
      const owner = await observer.owner();
      const clock = new ManualClock();
      {
        await using second = new RegisteredPooler(store, { port: 2, clock });
        const opening = second.registration.open();
        const refused = expect(opening).rejects.toMatchObject({
          code: ManagerErrorCode.NameInUse,
          message: expect.stringContaining(
            `the pooler at db1.example:1 has used cell "zone1" and service id "a" since ${owner?.since.toISOString()}`,
          ),
        });
        await second.until((seen) => seen.registration.refusal() !== undefined);
        await clock.advance(15_000);
        await refused;
        expect(statusOf(second).registered).toBe(false);
        second.registration.announceActive("PostgreSQL answers");
      }
      expect(await observer.record()).toMatchObject({ portMap: { grpc: 1 } });
      expect(isActive(await observer.record())).toBe(true);
      expect(await observer.owner()).toEqual(owner);
      expect(statusOf(first).registered).toBe(true);
      expect(first.registration.refusal()).toBeUndefined();
    });

    test("it stops at once where another process takes its name, and has it again afterwards", async () => {
      await using store = await makeStore();
      await using observer = new Observer(store);
      await using pooler = await register(store, observer);
      {
        await using _session = await observer.seize(ELSEWHERE);
        await pooler.until((seen) => seen.registration.refusal() !== undefined);
        expect(pooler.registration.refusal()?.reason).toContain(
          "the pooler at db2.example:7 has used",
        );
        expect(statusOf(pooler).registered).toBe(false);
        expect(pooler.logger.messages("warn")).toContain(
          "another process uses the name of this pooler",
        );
      }
      await pooler.until((seen) => statusOf(seen).registered);
      expect(pooler.registration.refusal()).toBeUndefined();
    });

    test("it writes no last record over that of a process that took its name", async () => {
      await using store = await makeStore();
      await using observer = new Observer(store);
      const pooler = await register(store, observer);
      await using _session = await observer.seize(ELSEWHERE);
      await pooler.until((seen) => seen.registration.refusal() !== undefined);
      await pooler[Symbol.asyncDispose]();
      expect(isActive(await observer.record())).toBe(true);
      expect(await observer.owner()).toEqual(ELSEWHERE);
    });

    test.runIf(existsSync("/proc"))(
      "after a crash it has its name at once on the same machine",
      async () => {
        await using store = await makeStore();
        await using observer = new Observer(store);
        await observer.prepare();
        await observer.leaveBehind({ ...ELSEWHERE, process: await killedProcess() });
        // The clock stands still: nothing is waited for.
        await using pooler = new RegisteredPooler(store, { clock: new ManualClock() });
        await pooler.registration.open();
        expect(statusOf(pooler).registered).toBe(true);
      },
    );

    test("after a crash ELSEWHERE it has its name when that session ends", async () => {
      await using store = await makeStore();
      await using observer = new Observer(store);
      await observer.prepare();
      await observer.leaveBehind(ELSEWHERE, 2000);
      await using pooler = new RegisteredPooler(store);
      await pooler.registration.open();
      expect(statusOf(pooler).registered).toBe(true);
      expect(pooler.statuses.some(({ lastError }) => lastError?.includes("if it has died"))).toBe(
        true,
      );
    });
  });
}

/** Waits until the cell and an active pooler are to be found in the store. */
async function untilActive(observer: Observer): Promise<void> {
  await expect
    .poll(() => observer.find(), { timeout: LIMIT_MS })
    .toMatchObject({
      lifecycleStatus: { status: PoolerLifecycleStatus.LIFECYCLE_ACTIVE },
    });
}

async function register(store: RecordStore, observer: Observer): Promise<RegisteredPooler> {
  await observer.prepare();
  const pooler = new RegisteredPooler(store);
  await pooler.registration.open();
  pooler.registration.announceActive("PostgreSQL answers");
  await untilActive(observer);
  return pooler;
}

function statusOf(pooler: RegisteredPooler): TopologyStatus {
  return pooler.registration.status();
}

/** A process of this machine that was killed. */
async function killedProcess(): Promise<PoolerOwner["process"]> {
  const child = spawn("sleep", ["60"]);
  await once(child, "spawn");
  const killed = processOf(child.pid ?? 0);
  child.kill("SIGKILL");
  await once(child, "exit");
  return killed;
}
