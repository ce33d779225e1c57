import { encodeCommandTag, encodeDiagnostic } from "@multipooler/query-service";
import type {
  CallOptions,
  ConcludeRequest,
  Outcome,
  ReleaseRequest,
  Reservation,
} from "@multipooler/query-service";
import { MultipoolerServiceDefinition } from "@multipooler/proto/multipoolerservice";
import { expect, test } from "vitest";
import { GrpcStatusError } from "../src/client/index.ts";
import { FakePoolerError } from "./fake-manager.ts";
import { RawClient } from "./raw-call.ts";
import { startServer } from "./test-server.ts";
import type { TestServer } from "./test-server.ts";

const CONCLUDE = "/multipoolerservice.MultipoolerService/ConcludeTransaction";
const RESERVATION: Reservation = { id: 2n ** 63n + 7n, reasons: 2, backendProcessId: 4711 };
const STATE = {
  reservedConnectionId: 2n ** 63n + 7n,
  poolerId: { component: 1, cell: "zone1", name: "abc12345" },
  reservationReasons: 2,
  backendProcessId: 4711,
};
const OPTIONS = { reservedConnectionId: RESERVATION.id, user: "alice" };
const COMMIT = 1;
const ROLLBACK = 2;

/** What a call fails with. */
async function statusOf(call: Promise<unknown>): Promise<GrpcStatusError> {
  try {
    await call;
  } catch (error) {
    if (error instanceof GrpcStatusError) {
      return error;
    }
    throw error;
  }
  throw new Error("it should have failed");
}

/** Keeps what the controller is asked, and answers with a tag and a notice. */
function concluding(pooler: TestServer, reservation?: Reservation): ConcludeRequest[] {
  const seen: ConcludeRequest[] = [];
  pooler.manager.verbs = {
    ...pooler.manager.verbs,
    concludeTransaction: async (request, sink) => {
      seen.push(request);
      const notice = { kind: "notice", severity: "WARNING", code: "01000", message: "so" } as const;
      await sink.write({ type: "notice", bytes: encodeDiagnostic(notice) });
      await sink.write({ type: "complete", bytes: encodeCommandTag("ROLLBACK") });
      return { reservation };
    },
  };
  return seen;
}

test("everything that a conclusion says reaches the controller", async () => {
  await using pooler = await startServer();
  const seen = concluding(pooler, RESERVATION);
  const response = await pooler.client.concludeTransaction({
    target: { shardKey: { database: "db", tableGroup: "default", shard: "0-inf" }, mode: 1 },
    options: { ...OPTIONS, sessionSettings: { work_mem: "1MB" } },
    conclusion: COMMIT,
    chain: true,
    releasePortalNames: ["c"],
    rollbackSessionSettings: { vars: { work_mem: "2MB" } },
  });
  expect(seen).toMatchObject([
    {
      id: RESERVATION.id,
      target: { database: "db", mode: "WRITABLE" },
      caller: { user: "alice", settings: new Map([["work_mem", "1MB"]]) },
      conclusion: "commit",
      chain: true,
      releases: ["c"],
      rollbackSettings: new Map([["work_mem", "2MB"]]),
    },
  ]);
  expect(response).toMatchObject({
    result: { commandTag: "ROLLBACK", notices: [{ code: "01000" }] },
    reservedState: STATE,
  });
});

test("settings that are not given are not taken for none", async () => {
  await using pooler = await startServer();
  const seen = concluding(pooler);
  const wish = { options: OPTIONS, conclusion: ROLLBACK, releaseAllPortals: true } as const;
  expect((await pooler.client.concludeTransaction(wish)).reservedState).toBeUndefined();
  await pooler.client.concludeTransaction({ ...wish, rollbackSessionSettings: {} });
  expect(seen).toMatchObject([
    { conclusion: "rollback", releases: "all", rollbackSettings: undefined },
    { rollbackSettings: new Map() },
  ]);
});

test.each([
  ["what stays reserved", RESERVATION, STATE],
  ["nothing of a reservation that is gone", undefined, undefined],
])("the status of a conclusion that failed says %s", async (_, reservation, state) => {
  await using pooler = await startServer();
  const diagnostic = { kind: "error", severity: "ERROR", code: "23505", message: "twice" } as const;
  pooler.manager.verbs = {
    ...pooler.manager.verbs,
    concludeTransaction: () =>
      Promise.reject(
        new FakePoolerError(
          "DATABASE_ERROR",
          "twice",
          diagnostic,
          reservation === undefined ? {} : { reservation },
        ),
      ),
  };
  const wish = { options: OPTIONS, conclusion: COMMIT } as const;
  const status = await statusOf(pooler.client.concludeTransaction(wish));
  expect(status).toMatchObject({ code: "UNKNOWN", diagnostic: { code: "23505" } });
  if (state === undefined) {
    expect(status.reservedState).toBeUndefined();
  } else {
    expect(status.reservedState).toMatchObject(state);
  }
});

/** Has the controller leave `RESERVATION` after the call was cut, and keeps what it is asked to release. */
function cutShort(pooler: TestServer): {
  readonly released: ReleaseRequest[];
  readonly cut: AbortController;
} {
  const cut = new AbortController();
  const released: ReleaseRequest[] = [];
  const leave = (_request: unknown, _sink: unknown, { signal }: CallOptions = {}) => {
    cut.abort();
    const { promise, resolve } = Promise.withResolvers<Outcome>();
    signal?.addEventListener("abort", () => resolve({ reservation: RESERVATION }), { once: true });
    return promise;
  };
  pooler.manager.verbs = {
    concludeTransaction: leave,
    discardTempTables: leave,
    releaseReservation: async (request) => {
      released.push(request);
      return { reservation: undefined };
    },
  };
  return { released, cut };
}

test.each(["concludeTransaction", "discardTempTables"] as const)(
  "what %s leaves reserved is released when its call was cut",
  async (verb) => {
    await using pooler = await startServer();
    const { released, cut } = cutShort(pooler);
    const wish = { options: OPTIONS, conclusion: COMMIT } as const;
    const call = pooler.client[verb](wish, { signal: cut.signal });
    expect(await statusOf(call)).toMatchObject({ code: "CANCELLED" });
    await expect
      .poll(() => released, { timeout: 20_000 })
      .toMatchObject([{ id: RESERVATION.id, caller: { user: "alice" }, keepsSticky: false }]);
  },
);

test("what a discard that failed leaves reserved is released: it cannot be said", async () => {
  await using pooler = await startServer();
  const { released } = cutShort(pooler);
  const details = { reservation: RESERVATION };
  pooler.manager.verbs = {
    ...pooler.manager.verbs,
    discardTempTables: () =>
      Promise.reject(new FakePoolerError("DATABASE_ERROR", "in use", undefined, details)),
  };
  const call = pooler.client.discardTempTables({ options: OPTIONS });
  expect(await statusOf(call)).toMatchObject({ code: "UNKNOWN" });
  expect(released).toMatchObject([{ id: RESERVATION.id }]);
});

test("a conclusion and a discard need a reservation by its id", async () => {
  await using pooler = await startServer();
  const missing = { code: "UNKNOWN", message: "reserved_connection_id is required" };
  const conclusion = pooler.client.concludeTransaction({ conclusion: COMMIT });
  expect(await statusOf(conclusion)).toMatchObject(missing);
  const discard = pooler.client.discardTempTables({ options: { user: "alice" } });
  expect(await statusOf(discard)).toMatchObject(missing);
});

test.each([0, 3] as const)("conclusion %i is refused", async (conclusion) => {
  await using pooler = await startServer();
  const { concludeTransaction } = MultipoolerServiceDefinition.methods;
  const wish = concludeTransaction.requestType.fromPartial({ options: OPTIONS });
  // An enum of proto3 is open: the generated type only names the numbers of today.
  const message = concludeTransaction.requestType.encode(wish).uint32(32).int32(conclusion);
  using client = new RawClient(pooler.address);
  const { status } = await client.call(CONCLUDE, message.finish());
  expect(status).toMatchObject({ code: 3, details: expect.stringMatching(/neither COMMIT nor/) });
});

test("an id that is not known is told as terminated", async () => {
  await using pooler = await startServer();
  const lost = { code: "UNKNOWN", diagnostic: { code: "40001" } };
  const wish = { options: OPTIONS, conclusion: COMMIT } as const;
  expect(await statusOf(pooler.client.concludeTransaction(wish))).toMatchObject(lost);
  const discard = pooler.client.discardTempTables({ options: OPTIONS });
  expect(await statusOf(discard)).toMatchObject(lost);
});

test("a discard answers with its tag and what stays reserved", async () => {
  await using pooler = await startServer();
  pooler.manager.verbs = {
    ...pooler.manager.verbs,
    discardTempTables: async (_request, sink) => {
      await sink.write({ type: "complete", bytes: encodeCommandTag("DISCARD TEMP") });
      return { reservation: RESERVATION };
    },
  };
  expect(await pooler.client.discardTempTables({ options: OPTIONS })).toMatchObject({
    result: { commandTag: "DISCARD TEMP" },
    reservedState: STATE,
  });
});

test("a release without an id asks nobody, one with an id says what is sticky", async () => {
  await using pooler = await startServer();
  const seen: ReleaseRequest[] = [];
  pooler.manager.verbs = {
    ...pooler.manager.verbs,
    releaseReservation: async (request) => {
      seen.push(request);
      return { reservation: request.keepsSticky ? RESERVATION : undefined };
    },
  };
  expect(await pooler.client.releaseReservedConnection({})).toEqual({ reservedState: undefined });
  expect(seen).toEqual([]);
  const kept = { options: OPTIONS, keepStickyReservations: true };
  expect(await pooler.client.releaseReservedConnection(kept)).toMatchObject({
    reservedState: STATE,
  });
  expect(await pooler.client.releaseReservedConnection({ options: OPTIONS })).toEqual({
    reservedState: undefined,
  });
  expect(seen).toMatchObject([{ keepsSticky: true }, { keepsSticky: false }]);
});
