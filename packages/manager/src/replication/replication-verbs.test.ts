import { ManualClock } from "@multipooler/timing/testing";
import { expect, test } from "vitest";
import { ActionLock } from "../actions/action-lock.ts";
import type { ReplicationVerb } from "../actions/guardrails.ts";
import type { TermCheck } from "../actions/term-check.ts";
import { ManagerError, ManagerErrorCode } from "../manager-error.ts";
import type { PoolerType } from "../record/pooler-type.ts";
import type { ReplicationControl, ReplicationStatus } from "./replication-control.ts";
import { ReplicationVerbs } from "./replication-verbs.ts";

const LSN = "0/3000060";
const STANDBY = { cell: "zone1", name: "b" };
const SYNCHRONOUS = { commit: "on", method: "any", count: 1, standbys: [STANDBY] } as const;
const STATUS: ReplicationStatus = {
  lastReplayLsn: LSN,
  lastReceiveLsn: LSN,
  isReplayPaused: false,
  pauseState: "not paused",
  lastXactReplayTimestamp: undefined,
  primaryConnInfo: undefined,
  walReceiver: "streaming",
};

/** The verbs over a server that is only in this process, with what they did to it. */
class Fixture {
  readonly clock: ManualClock = new ManualClock();
  readonly lock: ActionLock = new ActionLock(this.clock);
  readonly log: string[] = [];
  type: PoolerType = "REPLICA";
  inRecovery = true;
  fault: ManagerError | undefined;
  hasReplication = true;
  status: ReplicationStatus = STATUS;
  terms: TermCheck = {
    hear: async () => undefined,
    require: async (term, force) => {
      this.log.push(`term ${term}${force === undefined ? "" : ` forced: ${force}`}`);
    },
  };

  get verbs(): ReplicationVerbs {
    return new ReplicationVerbs({
      subject: () => {
        if (this.fault !== undefined) {
          throw this.fault;
        }
        return {
          type: this.type,
          replication: this.hasReplication ? this.#control() : undefined,
        };
      },
      serviceId: "a",
      lock: this.lock,
      terms: this.terms,
    });
  }

  #control(): ReplicationControl {
    const did = (what: string): void => {
      const { holder } = this.lock;
      this.log.push(holder === undefined ? what : `${what} under ${holder.action}`);
    };
    return {
      position: async () => {
        did("position");
        return { inRecovery: this.inRecovery, lsn: LSN, timeline: 1, systemIdentifier: 1n };
      },
      replicationStatus: async () => {
        did("status");
        return this.status;
      },
      primaryStatus: async () => {
        did("primary status");
        return { lsn: LSN, followers: [], synchronous: undefined };
      },
      waitForLsn: async (target, timeoutMs) => did(`wait for ${target}, ${timeoutMs} ms`),
      follow: async (_, { host, port }) => did(`follow ${host}:${port}`),
      resumeReplay: async () => did("resume"),
      pause: async (_, mode, waits) => {
        did(`pause ${mode}${waits ? "" : " without waiting"}`);
        return STATUS;
      },
      setSynchronous: async () => did("set synchronous"),
      updateStandbys: async (_, { operation }) => did(`${operation} standbys`),
      mainProcess: async () => undefined,
      forgetPrimary: async () => did("forget the primary"),
      promote: async () => did("promote"),
      terminateClients: async () => 0,
    };
  }
}

interface Case {
  readonly type: PoolerType;
  readonly run: (verbs: ReplicationVerbs) => Promise<unknown>;
  /** What it does in the end. */
  readonly does: readonly string[];
}

const CLAIM = { term: 5n };
const REQUEST = { host: "db", port: 5432 };
const UPDATE = { operation: "add", standbys: [STANDBY] } as const;

const CASES: Readonly<Record<ReplicationVerb, Case>> = {
  WaitForLSN: {
    type: "REPLICA",
    run: (verbs) => verbs.waitForLsn(LSN, { timeoutMs: 7 }),
    does: [`wait for ${LSN}, 7 ms`],
  },
  SetPrimaryConnInfo: {
    type: "REPLICA",
    run: (verbs) => verbs.setPrimaryConnInfo(REQUEST, CLAIM),
    does: ["term 5", "follow db:5432 under SetPrimaryConnInfo"],
  },
  StartReplication: {
    type: "REPLICA",
    run: (verbs) => verbs.startReplication(),
    does: ["resume under StartReplication"],
  },
  StopReplication: {
    type: "REPLICA",
    run: (verbs) => verbs.stopReplication("replay and receiver", { waits: false }),
    does: ["pause replay and receiver without waiting under StopReplication"],
  },
  ReplicationStatus: {
    type: "REPLICA",
    run: (verbs) => verbs.replicationStatus(),
    does: ["status"],
  },
  ResetReplication: {
    type: "REPLICA",
    run: (verbs) => verbs.resetReplication(),
    does: ["status under ResetReplication", "pause receiver under ResetReplication"],
  },
  ConfigureSynchronousReplication: {
    type: "PRIMARY",
    run: (verbs) => verbs.configureSynchronousReplication(SYNCHRONOUS),
    does: ["set synchronous under ConfigureSynchronousReplication"],
  },
  UpdateSynchronousStandbyList: {
    type: "PRIMARY",
    run: (verbs) => verbs.updateSynchronousStandbyList(UPDATE, CLAIM),
    does: ["term 5", "add standbys under UpdateSynchronousStandbyList"],
  },
  PrimaryStatus: {
    type: "PRIMARY",
    run: (verbs) => verbs.primaryStatus(),
    does: ["primary status"],
  },
  PrimaryPosition: {
    type: "PRIMARY",
    run: (verbs) => verbs.primaryPosition(),
    does: ["position"],
  },
  GetFollowers: {
    type: "PRIMARY",
    run: (verbs) => verbs.getFollowers(),
    does: ["primary status"],
  },
};

const VERBS = Object.entries(CASES);
const OTHERS: Readonly<Record<PoolerType, readonly PoolerType[]>> = {
  PRIMARY: ["REPLICA", "DRAINED", "UNKNOWN"],
  REPLICA: ["PRIMARY", "DRAINED", "UNKNOWN"],
  DRAINED: [],
  UNKNOWN: [],
};

test.each(VERBS)(
  "%s acts on a pooler of its type, and gives the lock back",
  async (_, { type, run, does }) => {
    const fixture = new Fixture();
    fixture.type = type;
    fixture.inRecovery = type === "REPLICA";
    await run(fixture.verbs);
    expect(fixture.log).toEqual(does);
    expect(fixture.lock.holder).toBeUndefined();
  },
);

test.each(
  VERBS.flatMap(([verb, { type, run }]) =>
    OTHERS[type].map((other) => ({ verb, type, other, run })),
  ),
)("$verb is refused to a pooler of type $other", async ({ type, other, run }) => {
  const fixture = new Fixture();
  fixture.type = other;
  await expect(run(fixture.verbs)).rejects.toMatchObject({
    code: ManagerErrorCode.FailedPrecondition,
    message: `operation not allowed: pooler type is ${other}, must be ${type} (service_id: a)`,
  });
  // A newer term is adopted all the same.
  expect(fixture.log.filter((line) => !line.startsWith("term "))).toEqual([]);
  expect(fixture.lock.holder).toBeUndefined();
});

test.each(VERBS)("%s is refused until the manager is ready", async (_, { run }) => {
  const fixture = new Fixture();
  fixture.fault = new ManagerError(ManagerErrorCode.NotOpen, "manager is still starting up");
  await expect(run(fixture.verbs)).rejects.toBe(fixture.fault);
  expect(fixture.log).toEqual([]);
});

test.each(VERBS.filter(([, { does }]) => does.some((what) => what.includes("under"))))(
  "%s waits for the action lock, and looks again when it has it",
  async (_, { type, run }) => {
    const fixture = new Fixture();
    fixture.type = type;
    const held = await fixture.lock.acquire("Promote");
    const waiting = expect(run(fixture.verbs)).rejects.toMatchObject({ message: "too late" });
    fixture.fault = new ManagerError(ManagerErrorCode.NotOpen, "too late");
    held[Symbol.dispose]();
    await waiting;
    expect(fixture.log).toEqual([]);
    expect(fixture.lock.holder).toBeUndefined();
  },
);

test("a verb that gives up waiting for the lock names who has it", async () => {
  const fixture = new Fixture();
  using _held = await fixture.lock.acquire("Promote");
  const abort = new AbortController();
  const waiting = fixture.verbs.startReplication({ signal: abort.signal });
  abort.abort();
  await expect(waiting).rejects.toMatchObject({
    code: ManagerErrorCode.LockNotAcquired,
    message: expect.stringMatching(
      /^failed to acquire action lock for StartReplication: Promote has it since .+Z$/,
    ),
  });
});

test("a primary whose PostgreSQL is a standby has no position as a primary", async () => {
  const fixture = new Fixture();
  fixture.type = "PRIMARY";
  fixture.inRecovery = true;
  await expect(fixture.verbs.primaryPosition()).rejects.toMatchObject({
    code: ManagerErrorCode.FailedPrecondition,
    message: "operation not allowed: the PostgreSQL instance is in standby mode",
  });
});

test("arguments are looked at before the term is", async () => {
  const fixture = new Fixture();
  const { verbs } = fixture;
  const rejected = { code: ManagerErrorCode.InvalidArgument };
  await expect(verbs.setPrimaryConnInfo({ host: "", port: 1 }, CLAIM)).rejects.toMatchObject(
    rejected,
  );
  await expect(
    verbs.updateSynchronousStandbyList({ operation: "add", standbys: [] }, CLAIM),
  ).rejects.toMatchObject({ ...rejected, message: "standby_ids must not be empty" });
  await expect(
    verbs.configureSynchronousReplication({ ...SYNCHRONOUS, count: 2 }),
  ).rejects.toMatchObject(rejected);
  await expect(verbs.waitForLsn("x")).rejects.toMatchObject(rejected);
  await expect(verbs.waitForLsn(LSN, { timeoutMs: -1 })).rejects.toMatchObject(rejected);
  await expect(verbs.setPrimaryConnInfo(REQUEST, { term: 0n, force: " " })).rejects.toMatchObject({
    ...rejected,
    message: "force must be a reason, one line of 1 to 1000 bytes",
  });
  expect(fixture.log).toEqual([]);
});

test("a refused term changes nothing, and a forced one goes through with its reason", async () => {
  const fixture = new Fixture();
  await fixture.verbs.setPrimaryConnInfo(REQUEST, { term: 0n, force: "the orchestrator is gone" });
  expect(fixture.log).toEqual([
    "term 0 forced: the orchestrator is gone",
    "follow db:5432 under SetPrimaryConnInfo",
  ]);
  fixture.log.length = 0;
  const stale = new ManagerError(ManagerErrorCode.FailedPrecondition, "stale");
  fixture.terms = { hear: async () => undefined, require: () => Promise.reject(stale) };
  await expect(fixture.verbs.setPrimaryConnInfo(REQUEST, CLAIM)).rejects.toBe(stale);
  expect(fixture.log).toEqual([]);
});

test("a receiver that a paused replay keeps is not said to have ended", async () => {
  const fixture = new Fixture();
  fixture.status = { ...STATUS, isReplayPaused: true, pauseState: "paused" };
  const { verbs } = fixture;
  const refusal = {
    code: ManagerErrorCode.FailedPrecondition,
    message:
      "the WAL receiver does not end while the replay is paused: resume it first, or do not wait",
  };
  await expect(verbs.resetReplication()).rejects.toMatchObject(refusal);
  await expect(verbs.stopReplication("receiver")).rejects.toMatchObject(refusal);
  await expect(verbs.stopReplication("replay and receiver")).rejects.toMatchObject(refusal);
  expect(fixture.log.filter((line) => line.startsWith("pause"))).toEqual([]);
  await verbs.stopReplication("replay");
  await verbs.stopReplication("receiver", { waits: false });
  fixture.status = { ...fixture.status, walReceiver: undefined };
  await verbs.resetReplication();
  expect(fixture.log.filter((line) => line.startsWith("pause"))).toEqual([
    "pause replay under StopReplication",
    "pause receiver without waiting under StopReplication",
    "pause receiver under ResetReplication",
  ]);
});

test("a database without replication is told so", async () => {
  const fixture = new Fixture();
  fixture.hasReplication = false;
  await expect(fixture.verbs.replicationStatus()).rejects.toMatchObject({
    code: ManagerErrorCode.Unsupported,
    message: "the database behind this pooler has no replication",
  });
});
