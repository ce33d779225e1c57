import { PoolerRole, ServingStatus } from "@multipooler/controller-api";
import type { ServingTarget } from "@multipooler/controller-api";
import { PoolerErrorCode, QueryMode } from "@multipooler/query-service";
import { ok } from "node:assert/strict";
import { IdleClient } from "./idle-client.ts";
import { CALLER, DRAINED, PRIMARY, STOPPED, target } from "./contract-scene.ts";
import type { ContractScene } from "./contract-scene.ts";
import type { ContractSuite } from "./contract-suite.ts";
import { assertFails } from "./failure.ts";
import { isPending, later } from "./patience.ts";

/** What asks to be admitted, outside a reservation. */
type RequestKind =
  | "read"
  | "inconsistent read"
  | "consistent read"
  | "writable read"
  | "write"
  | "describe"
  | "reservation"
  | "writable reservation"
  | "credentials"
  | "session";

/** Where the controller is: at rest, by status and role, or in one of the stages of a drain. */
type Place =
  | "SERVING PRIMARY"
  | "SERVING REPLICA"
  | "SERVING_RDONLY PRIMARY"
  | "SERVING_RDONLY REPLICA"
  | "first stage"
  | "second stage"
  | "DRAINED PRIMARY"
  | "DRAINED REPLICA"
  | "NOT_SERVING PRIMARY"
  | "NOT_SERVING REPLICA";

type Verdict = "admitted" | "NOT_SERVING" | "READ_ONLY";
type Row = Readonly<Record<Place, Verdict>>;

const NOWHERE_AT_REST = {
  "DRAINED PRIMARY": "NOT_SERVING",
  "DRAINED REPLICA": "NOT_SERVING",
  "NOT_SERVING PRIMARY": "NOT_SERVING",
  "NOT_SERVING REPLICA": "NOT_SERVING",
} as const;

/** On every role, and in the first stage of a drain. */
const ANY_ROLE: Row = {
  "SERVING PRIMARY": "admitted",
  "SERVING REPLICA": "admitted",
  "SERVING_RDONLY PRIMARY": "admitted",
  "SERVING_RDONLY REPLICA": "admitted",
  "first stage": "admitted",
  "second stage": "NOT_SERVING",
  ...NOWHERE_AT_REST,
};

/** On the primary only. A drain keeps the role until its end. */
const PRIMARY_ONLY: Row = {
  ...ANY_ROLE,
  "SERVING REPLICA": "NOT_SERVING",
  "SERVING_RDONLY REPLICA": "NOT_SERVING",
};

/** The table that `ServingStatus` documents, asked row by row. The drain leaves SERVING PRIMARY. */
const EXPECTED: Readonly<Record<RequestKind, Row>> = {
  read: ANY_ROLE,
  "inconsistent read": ANY_ROLE,
  "consistent read": PRIMARY_ONLY,
  "writable read": PRIMARY_ONLY,
  write: {
    ...ANY_ROLE,
    "SERVING_RDONLY PRIMARY": "READ_ONLY",
    "SERVING_RDONLY REPLICA": "READ_ONLY",
  },
  describe: ANY_ROLE,
  reservation: { ...ANY_ROLE, "first stage": "NOT_SERVING" },
  "writable reservation": { ...PRIMARY_ONLY, "first stage": "NOT_SERVING" },
  credentials: { ...ANY_ROLE, "first stage": "NOT_SERVING" },
  session: { ...ANY_ROLE, "first stage": "NOT_SERVING" },
};

/** Who gets in, for each status and role, and each stage of a drain. */
export function testAdmission(suite: ContractSuite): void {
  const requests = requestsOf(suite);
  for (const status of Object.values(ServingStatus)) {
    for (const role of Object.values(PoolerRole)) {
      testAtRest(suite, requests, target(status, role));
    }
  }
  const { blocked } = suite.statements;
  if (blocked !== undefined) {
    testSecondStage(suite, requests, blocked);
  }
  if (suite.offers.reservations) {
    testFirstStage(suite, requests);
  }
}

/** What a request of a kind is; `undefined`: the controller does not offer it. */
type Requests = Readonly<
  Record<RequestKind, ((scene: ContractScene) => Promise<unknown>) | undefined>
>;

function requestsOf({ offers, statements }: ContractSuite): Requests {
  const { read, write } = statements;
  const readIn = (mode: QueryMode) => (scene: ContractScene) => scene.run(read, { mode });
  const reserveIn = (mode: QueryMode) => async (scene: ContractScene) => {
    const { id } = await scene.reserve(read, { mode });
    await scene.conclude(id, "rollback");
  };
  return {
    read: readIn(QueryMode.Unspecified),
    "inconsistent read": readIn(QueryMode.Inconsistent),
    "consistent read": readIn(QueryMode.Consistent),
    "writable read": readIn(QueryMode.Writable),
    write: write === undefined ? undefined : (scene) => scene.run(write),
    describe: offers.describe ? describeRead(read) : undefined,
    reservation: offers.reservations ? reserveIn(QueryMode.Unspecified) : undefined,
    "writable reservation": offers.reservations ? reserveIn(QueryMode.Writable) : undefined,
    credentials: offers.credentials ? lookUpCredentials : undefined,
    session: offers.sessions ? openAndEndSession : undefined,
  };
}

function describeRead(sql: string): (scene: ContractScene) => Promise<unknown> {
  const statement = { sql, parameterTypes: [] };
  return (scene) => {
    const request = { caller: CALLER, place: { type: "any" }, statement } as const;
    return scene.within(scene.controller.getExecutor().describe(request), "describe");
  };
}

async function lookUpCredentials(scene: ContractScene): Promise<void> {
  const login = { database: scene.subject.database.database, user: scene.subject.database.user };
  await scene.within(scene.controller.getExecutor().getCredentials(login), "getCredentials");
}

async function openAndEndSession(scene: ContractScene): Promise<void> {
  const caller = { ...CALLER, database: "" };
  const opened = scene.controller.getExecutor().openSession(caller, new IdleClient());
  const session = await scene.within(opened, "openSession");
  await scene.within(session.end("now"), "the end of a session");
}

function testAtRest(suite: ContractSuite, requests: Requests, at: ServingTarget): void {
  suite.test(
    `${at.status} ${at.role} admits what the table says`,
    async (scene) => {
      await assertVerdicts(scene, requests, `${at.status} ${at.role}`);
    },
    { from: at },
  );
}

function testFirstStage(suite: ContractSuite, requests: Requests): void {
  const { read } = suite.statements;
  suite.test(
    "a drain that waits for a reservation admits what the table says for its first stage",
    async (scene) => {
      const { id } = await scene.reserve(read);
      const leaving = later(scene.controller.setServingType(DRAINED));
      ok(await isPending(leaving), "the drain waits for the reservation");
      await assertVerdicts(scene, requests, "first stage");
      await scene.conclude(id, "commit");
      await scene.within(leaving, "the drain");
    },
    { from: PRIMARY },
  );
}

function testSecondStage(suite: ContractSuite, requests: Requests, blocked: string): void {
  suite.test(
    "a drain that waits for a query admits what the table says for its second stage",
    async (scene) => {
      const { ended } = await scene.startBlocked(blocked);
      const leaving = later(scene.controller.setServingType(STOPPED));
      ok(await isPending(leaving), "the drain waits for the query");
      await assertVerdicts(scene, requests, "second stage");
      await scene.unblock();
      await scene.within(Promise.all([ended, leaving]), "the drain");
    },
    { from: PRIMARY },
  );
}

async function assertVerdicts(
  scene: ContractScene,
  requests: Requests,
  place: Place,
): Promise<void> {
  for (const kind of kindsOf(EXPECTED)) {
    const request = requests[kind];
    if (request !== undefined) {
      await assertVerdict(request(scene), EXPECTED[kind][place], `${kind} in ${place}`);
    }
  }
}

async function assertVerdict(
  request: Promise<unknown>,
  verdict: Verdict,
  what: string,
): Promise<void> {
  try {
    switch (verdict) {
      case "admitted":
        await request;
        return;
      case "NOT_SERVING":
        await assertFails(request, PoolerErrorCode.NotServing);
        return;
      case "READ_ONLY":
        await assertFails(request, PoolerErrorCode.ReadOnly);
    }
  } catch (error) {
    throw new Error(`${what} has to be ${verdict}`, { cause: error });
  }
}

function kindsOf(table: Readonly<Record<RequestKind, Row>>): RequestKind[] {
  const isKind = (key: string): key is RequestKind => key in table;
  return Object.keys(table).filter(isKind);
}
