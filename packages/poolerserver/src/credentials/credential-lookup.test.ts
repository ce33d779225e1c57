import { getEventListeners } from "node:events";
import { setImmediate as nextTurn } from "node:timers/promises";
import { PoolerRole, ServingStatus } from "@multipooler/controller-api";
import type { AdminRow, DatabaseHandle } from "@multipooler/controller-api";
import { PoolerErrorCode } from "@multipooler/query-service";
import type { LoginCredentials } from "@multipooler/query-service";
import { ManualClock } from "@multipooler/timing/testing";
import { expect, test } from "vitest";
import { failureOf } from "../../test/settled.ts";
import { silentLogger } from "../../test/silent-logger.ts";
import { MultiPoolerError, errorDiagnostic } from "../error.ts";
import { ServingGate } from "../serving/serving-gate.ts";
import type { PoolerEvent } from "../pooler-event.ts";
import { CredentialLookup } from "./credential-lookup.ts";

const STOPPED = {
  status: ServingStatus.NotServing,
  role: PoolerRole.Replica,
  reason: "the test wants it",
};
const SERVING = { ...STOPPED, status: ServingStatus.Serving, role: PoolerRole.Primary };

/** A database that answers when the test says so. Every name is a role with that password. */
class SlowDatabase {
  readonly questions: (readonly string[])[] = [];
  #answer: PromiseWithResolvers<readonly AdminRow[]> | undefined;

  readonly admin: DatabaseHandle["admin"] = (_sql, [names]) => {
    if (!Array.isArray(names)) {
      throw new TypeError("no names");
    }
    this.questions.push(names.map(String));
    this.#answer = Promise.withResolvers();
    return this.#answer.promise;
  };

  answer(): Promise<void> {
    const names = this.questions.at(-1) ?? [];
    this.#answer?.resolve(
      names.map((name, index) => ({
        place: index + 1,
        password: `SCRAM-SHA-256$${name}`,
        can_login: true,
        is_expired: false,
        is_replication_role: false,
      })),
    );
    return nextTurn();
  }

  fail(error: unknown): Promise<void> {
    this.#answer?.reject(error);
    return nextTurn();
  }
}

async function scene(): Promise<{
  database: SlowDatabase;
  clock: ManualClock;
  gate: ServingGate;
  events: PoolerEvent[];
  look: (user: string, signal?: AbortSignal) => Promise<LoginCredentials | undefined>;
}> {
  const database = new SlowDatabase();
  const clock = new ManualClock();
  const gate = new ServingGate({
    drainGraceMs: 3000,
    isOpen: () => true,
    prepare: () => undefined,
    clock,
    logger: silentLogger,
  });
  await gate.setTarget(SERVING, undefined);
  const events: PoolerEvent[] = [];
  const onEvent = (event: PoolerEvent): void => void events.push(event);
  const lookup = new CredentialLookup({ database, gate, clock, onEvent });
  const look = (user: string, signal?: AbortSignal): Promise<LoginCredentials | undefined> =>
    lookup.get({ database: "app", user }, { signal });
  return { database, clock, gate, events, look };
}

const credentialsOf = (name: string): LoginCredentials => ({
  scramVerifier: `SCRAM-SHA-256$${name}`,
  isReplicationRole: false,
});

test("names that come while a question is under way go together with the next one", async () => {
  const { database, gate, look } = await scene();
  const first = look("first");
  const rest = Array.from({ length: 1000 }, (_, index) => look(`user ${index % 10}`));
  expect(database.questions).toEqual([["first"]]);
  await database.answer();
  expect(await first).toEqual(credentialsOf("first"));
  await database.answer();
  expect(database.questions).toHaveLength(2);
  expect(database.questions[1]).toHaveLength(10);
  for (const [index, answer] of (await Promise.all(rest)).entries()) {
    expect(answer).toEqual(credentialsOf(`user ${index % 10}`));
  }
  expect(gate.counts).toEqual({ single: 0, reserved: 0 });
});

test("each lookup is told with its time and what was wrong, but not one that was given up", async () => {
  const { database, clock, events, look } = await scene();
  const found = look("alice");
  clock.step(20);
  await database.answer();
  await found;
  const leaving = new AbortController();
  const gone = failureOf(look("bob", leaving.signal));
  leaving.abort();
  await gone;
  await database.answer();
  const failing = failureOf(look("carol"));
  await database.fail(new MultiPoolerError("PRE_EXECUTION_UNAVAILABLE", "no connection"));
  await failing;
  expect(events).toEqual([
    { type: "credentialsRead", durationMs: 20, problem: undefined },
    { type: "credentialsRead", durationMs: 0, problem: "pool_acquire_failed" },
  ]);
});

test("an answer is never older than its request", async () => {
  const { database, look } = await scene();
  const before = look("alice");
  const after = look("alice");
  await database.answer();
  await before;
  expect(database.questions).toEqual([["alice"], ["alice"]]);
  await database.answer();
  await after;
});

test("a caller that gives up waits no longer, and the others get their answer", async () => {
  const { database, gate, look } = await scene();
  const leaving = new AbortController();
  const gone = look("alice", leaving.signal);
  const staying = look("bob");
  leaving.abort();
  expect(await failureOf(gone)).toMatchObject({ code: "CANCELLED" });
  expect(getEventListeners(leaving.signal, "abort")).toEqual([]);
  await database.answer();
  await database.answer();
  expect(await staying).toEqual(credentialsOf("bob"));
  expect(gate.counts.reserved).toBe(0);
  const late = AbortSignal.abort(new DOMException("too late", "TimeoutError"));
  expect(await failureOf(look("carol", late))).toMatchObject({ code: "DEADLINE_EXCEEDED" });
});

test("a failure that nobody waits for any more is dropped, and the next question is asked", async () => {
  const { database, look } = await scene();
  const leaving = new AbortController();
  const gone = look("alice", leaving.signal);
  leaving.abort();
  await failureOf(gone);
  await database.fail(new Error("the connection broke"));
  const next = look("bob");
  await database.answer();
  expect(await next).toEqual(credentialsOf("bob"));
});

test("a lookup is admitted like a new reservation, and cut when the drain is over", async () => {
  const { database, clock, gate, look } = await scene();
  const running = failureOf(look("alice"));
  const leaving = gate.setTarget(STOPPED, undefined);
  await nextTurn();
  expect(await failureOf(look("bob"))).toMatchObject({ code: "NOT_SERVING" });
  clock.step(3000);
  expect(await running).toMatchObject({ code: "NOT_SERVING" });
  await leaving;
  expect(await failureOf(look("carol"))).toMatchObject({ code: "NOT_SERVING" });
  expect(database.questions).toEqual([["alice"]]);
});

test("a name is needed", async () => {
  const { look } = await scene();
  expect(await failureOf(look(""))).toMatchObject({ code: "INVALID_ARGUMENT" });
});

const UNAVAILABLE = PoolerErrorCode.PreExecutionUnavailable;
const INTERNAL = PoolerErrorCode.Internal;
const TOLD: Readonly<Record<PoolerErrorCode, PoolerErrorCode>> = {
  NOT_INITIALIZED: UNAVAILABLE,
  NOT_OPEN: UNAVAILABLE,
  NOT_SERVING: UNAVAILABLE,
  POOL_EXHAUSTED: UNAVAILABLE,
  PRE_EXECUTION_UNAVAILABLE: UNAVAILABLE,
  AUTHENTICATION_FAILED: UNAVAILABLE,
  CONNECTION_LOST: UNAVAILABLE,
  CANCELLED: UNAVAILABLE,
  DEADLINE_EXCEEDED: UNAVAILABLE,
  DATABASE_ERROR: PoolerErrorCode.DatabaseError,
  WRONG_TARGET: INTERNAL,
  INVALID_ARGUMENT: INTERNAL,
  UNIMPLEMENTED: INTERNAL,
  READ_ONLY: INTERNAL,
  RESERVATION_LOST: INTERNAL,
  SUBSCRIBER_BEHIND: INTERNAL,
  INTERNAL,
};

test.each(Object.values(PoolerErrorCode))(
  "%s of the manager's connection is not the client's",
  async (code) => {
    const { database, look } = await scene();
    const diagnostic = errorDiagnostic("28P01", 'password authentication failed for "postgres"');
    const cause = new MultiPoolerError(code, "it broke", { diagnostic });
    const failure = failureOf(look("alice"));
    await database.fail(cause);
    expect(await failure).toMatchObject({
      code: TOLD[code],
      message: "it broke",
      cause,
      diagnostic: code === PoolerErrorCode.DatabaseError ? diagnostic : undefined,
    });
  },
);

test("an error without a code is INTERNAL", async () => {
  const { database, look } = await scene();
  const cause = new TypeError("a fault");
  const failure = failureOf(look("alice"));
  await database.fail(cause);
  expect(await failure).toMatchObject({ code: "INTERNAL", cause });
});
