import { once } from "node:events";
import { expect, test } from "vitest";
import { ClientPooler } from "./client-pooler.ts";

function codeOf(error: unknown): unknown {
  return error instanceof Error && "code" in error ? error.code : error;
}

test("SIGTERM tells idle clients, and one in a transaction when that has ended", async () => {
  await using scene = await ClientPooler.start({ "connpool-drain-grace-period": "20s" });
  const idle = await scene.connect();
  const busy = await scene.connect();
  await busy.query("create table kept (a int)");
  await busy.query("begin");
  await busy.query("insert into kept values (1)");
  const told = once(idle, "error");
  const toldLater = once(busy, "error");
  scene.pooler.kill("SIGTERM");
  await scene.pooler.logged(({ msg }) => msg === "stopping");
  await busy.query("commit");
  expect((await told).map(codeOf)).toEqual(["57P01"]);
  expect((await toldLater).map(codeOf)).toEqual(["57P01"]);
  expect(await scene.pooler.exited).toEqual({ code: 0, signal: null });
  expect(scene.pooler.complaints()).toBe("");
  expect(await scene.postgres.sql("select a from kept")).toEqual([{ a: 1 }]);
});

test("a transaction that goes on is ended when the time for it is over", async () => {
  await using scene = await ClientPooler.start({ "connpool-drain-grace-period": "300ms" });
  const busy = await scene.connect();
  await busy.query("begin; select 1");
  const told = once(busy, "error");
  scene.pooler.kill("SIGTERM");
  expect((await told).map(codeOf)).toEqual(["40001"]);
  expect(await scene.pooler.exited).toEqual({ code: 0, signal: null });
});
