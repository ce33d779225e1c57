import { GetAuthCredentialsRequest } from "@multipooler/proto/multipoolerservice";
import { PoolerErrorCode } from "@multipooler/query-service";
import { expect, test } from "vitest";
import { FakePoolerError } from "./fake-manager.ts";
import { RawClient, statusDetails } from "./raw-call.ts";
import type { RawOutcome } from "./raw-call.ts";
import { startServer } from "./test-server.ts";
import type { TestServer } from "./test-server.ts";

const PATH = "/multipoolerservice.MultipoolerService/GetAuthCredentials";
const VERIFIER = "SCRAM-SHA-256$4096:c2FsdA==$c3RvcmVk:c2VydmVy";

async function ask(
  { address }: TestServer,
  request: { database?: string; username?: string } = {},
): Promise<RawOutcome> {
  using client = new RawClient(address);
  const message = { database: "postgres", username: "alice", ...request };
  return await client.call(PATH, GetAuthCredentialsRequest.encode(message).finish());
}

test.each([VERIFIER, undefined])(
  "the verifier %s of a role is handed out",
  async (scramVerifier) => {
    await using pooler = await startServer();
    const asked: unknown[] = [];
    pooler.manager.credentials = async (request) => {
      asked.push(request);
      return { scramVerifier, isReplicationRole: true };
    };
    const request = { database: "app", username: 'a"b' };
    expect(await pooler.client.getAuthCredentials(request)).toEqual({
      scramHash: scramVerifier ?? "",
      isReplicationRole: true,
    });
    expect(asked).toEqual([{ database: "app", user: 'a"b' }]);
  },
);

test("a user that does not exist is NOT_FOUND, and what is missing is named", async () => {
  await using pooler = await startServer();
  const answers = [
    await ask(pooler),
    await ask(pooler, { username: "" }),
    await ask(pooler, { database: "" }),
  ];
  expect(answers.map(({ status }) => [status.code, status.details, statusDetails(status)])).toEqual(
    [
      [5, 'user "alice" not found', undefined],
      [3, "username is required", undefined],
      [3, "database is required", undefined],
    ],
  );
});

test("who may not log in is shown what PostgreSQL would say", async () => {
  await using pooler = await startServer();
  const diagnostic = {
    kind: "error",
    severity: "FATAL",
    code: "28000",
    message: 'role "alice" is not permitted to log in',
  } as const;
  pooler.manager.credentials = () =>
    Promise.reject(
      new FakePoolerError("AUTHENTICATION_FAILED", diagnostic.message, { ...diagnostic }),
    );
  const { status } = await ask(pooler);
  expect(status.code).toBe(2);
  expect(statusDetails(status)?.rpcError).toMatchObject({
    code: 2,
    pgDiagnostic: { severity: "FATAL", code: "28000", message: diagnostic.message },
  });
});

interface Expected {
  readonly status: number;
  /** Beside the plain status. */
  readonly rpcCode?: number;
  readonly text?: string;
}

const NO_CONNECTION = { status: 14, text: "failed to get admin connection: it broke" };
const NO_ANSWER = { status: 13, text: "failed to get role password: it broke" };
const ANSWERS: Readonly<Record<PoolerErrorCode, Expected>> = {
  NOT_INITIALIZED: { status: 2, rpcCode: 19 },
  NOT_OPEN: { status: 2, rpcCode: 19 },
  NOT_SERVING: { status: 2, rpcCode: 2 },
  WRONG_TARGET: { status: 2, rpcCode: 2 },
  INVALID_ARGUMENT: { status: 3, rpcCode: 3 },
  UNIMPLEMENTED: { status: 12, rpcCode: 12 },
  READ_ONLY: { status: 2, rpcCode: 2 },
  RESERVATION_LOST: { status: 2, rpcCode: 2 },
  POOL_EXHAUSTED: NO_CONNECTION,
  PRE_EXECUTION_UNAVAILABLE: NO_CONNECTION,
  AUTHENTICATION_FAILED: { status: 2, rpcCode: 2 },
  CONNECTION_LOST: NO_CONNECTION,
  DATABASE_ERROR: NO_ANSWER,
  SUBSCRIBER_BEHIND: { status: 8, rpcCode: 8 },
  CANCELLED: { status: 1, rpcCode: 1 },
  DEADLINE_EXCEEDED: { status: 4, rpcCode: 4 },
  INTERNAL: NO_ANSWER,
};

test.each(Object.values(PoolerErrorCode))("a controller's %s has its status", async (code) => {
  await using pooler = await startServer();
  pooler.manager.credentials = () => Promise.reject(new FakePoolerError(code, "it broke"));
  const { status } = await ask(pooler);
  const expected = ANSWERS[code];
  expect(status.code).toBe(expected.status);
  expect(statusDetails(status)?.rpcError.code).toBe(expected.rpcCode);
  expect(status.details).toBe(expected.text ?? "it broke");
});
