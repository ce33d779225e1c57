import { bind, execute, parse, query, sync } from "@multipooler/conversations";
import { PoolerRole, ServingStatus } from "@multipooler/controller-api";
import { expect, test } from "vitest";
import { useSessionStage } from "./session-stage.ts";

const stage = useSessionStage();
const READ_ONLY = {
  status: ServingStatus.ServingReadOnly,
  role: PoolerRole.Primary,
  reason: "the test wants it",
};

test("each unit is observed once, with its text and its error", async () => {
  const observed: string[] = [];
  await using pooler = await stage.scene({
    observe:
      ({ text }) =>
      (sqlstate) =>
        void observed.push(`${text}: ${sqlstate ?? "ok"}`),
  });
  const client = await pooler.connect();
  await client.ask(query("begin"));
  await client.ask(query("select 1 / 0"));
  await client.ask(query("rollback"));
  await client.ask(query("begin"));
  await client.ask(query("commit"));
  await client.ask([parse("select 2", "two"), sync]);
  await client.ask([parse("select 2", "again"), sync]);
  expect(observed.splice(0)).toEqual([
    "begin: ok",
    "select 1 / 0: 22012",
    "rollback: ok",
    "begin: ok",
    "commit: ok",
    "select 2: ok",
    "select 2: ok",
  ]);
  await pooler.gate.setTarget(READ_ONLY, undefined);
  const set = "set transaction_read_only = off";
  expect(await client.ask(query(set))).toEqual(["E 25006", "Z I"]);
  await client.ask(query("begin"));
  await client.ask(query("select 3"));
  expect(await client.ask([parse(set), bind(), execute(), sync])).toContain("E 25006");
  await client.ask(query("rollback"));
  expect(observed).toEqual([
    `${set}: 25006`,
    "begin: ok",
    "select 3: ok",
    `${set}: 25006`,
    "rollback: ok",
  ]);
});
