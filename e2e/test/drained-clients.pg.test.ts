import { connect } from "@multipooler/grpc-services/client";
import { runProgram } from "@multipooler/pooler-process";
import { expect, test } from "vitest";
import { ClientPooler } from "./client-pooler.ts";
import { READY_LIMIT_MS } from "./serving-pooler.ts";

/** Of the wire contract. */
const [SERVING, DRAINED] = [1, 3] as const;

function codeOf(error: unknown): unknown {
  return error instanceof Error && "code" in error ? error.code : error;
}

test("clients of a drained pooler are refused with MTF01, and go on when it serves again", async () => {
  await using scene = await ClientPooler.start();
  using operator = connect({ address: await scene.pooler.grpc() });
  const client = await scene.connect();
  await client.query("set application_name = 'patient'");
  const plus = { name: "plus", text: "select $1::int + 1 as n" };
  expect((await client.query({ ...plus, values: [1] })).rows).toEqual([{ n: 2 }]);

  await operator.setServingStatus({ status: DRAINED, reason: "maintenance", wait: true });
  for (const statement of ["select 1", "begin", { ...plus, values: [2] }]) {
    const refusal = await client.query(statement).catch((error: unknown) => error);
    expect(codeOf(refusal)).toBe("MTF01");
    expect(String(refusal)).toMatch(
      /this pooler is DRAINED \(drained by an operator: maintenance\)/,
    );
  }
  // libpq goes on to its next host when it is told this.
  expect(codeOf(await scene.connect().catch((error: unknown) => error))).toBe("57P03");

  await operator.setServingStatus({ status: SERVING, reason: "done", wait: true });
  expect((await client.query({ ...plus, values: [2] })).rows).toEqual([{ n: 3 }]);
  expect((await client.query("show application_name")).rows).toEqual([
    { application_name: "patient" },
  ]);
  await client.end();
});

test("an idle client outlives a restart of PostgreSQL", async () => {
  await using scene = await ClientPooler.start();
  const client = await scene.connect();
  await client.query("set lock_timeout = 4321");
  await scene.postgres.stop("immediate");
  await scene.pooler.ready(503, { signal: AbortSignal.timeout(READY_LIMIT_MS) });
  await expect
    .poll(async () => codeOf(await client.query("select 1").catch((error: unknown) => error)), {
      timeout: READY_LIMIT_MS,
    })
    .toBe("MTF01");
  await scene.postgres.start();
  await scene.pooler.ready(200, { signal: AbortSignal.timeout(READY_LIMIT_MS) });
  expect((await client.query("show lock_timeout")).rows).toEqual([{ lock_timeout: "4321ms" }]);
  await client.end();
  const status = await runProgram(["ctl", "status", "--address", await scene.pooler.grpc()]);
  expect(status.code).toBe(0);
});
