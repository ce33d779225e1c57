import { connect } from "@multipooler/grpc-services/client";
import { DatabaseSync } from "node:sqlite";
import { join } from "node:path";
import { expect, test } from "vitest";
import { OutsideConsumer } from "./outside-consumer.ts";

/** What a controller and its tests need. */
const OF_A_CONTROLLER = ["controller-api", "controller-testkit", "query-service"];
/** What a pooler needs besides. */
const OF_A_POOLER = ["grpc-services", "logging", "manager", "proto", "timing", "tls", "topo"];

test("a controller of somebody else, made of tarballs and the guide, passes the contract and is served over gRPC", async () => {
  await using consumer = await OutsideConsumer.create();
  await consumer.install(OF_A_CONTROLLER);
  expect(await consumer.installed()).toEqual(OF_A_CONTROLLER);
  const version = expect.stringMatching(/^\^\d+\.\d+\.\d+$/);
  expect(await consumer.dependencies("query-service")).toEqual({});
  expect(await consumer.dependencies("controller-api")).toEqual({
    "@multipooler/query-service": version,
  });
  expect(await consumer.dependencies("controller-testkit")).toEqual({
    "@multipooler/controller-api": version,
    "@multipooler/query-service": version,
  });
  const { passed } = await consumer.test("contract.test.ts");
  expect(passed).toBeGreaterThan(40);

  await consumer.install(OF_A_POOLER);
  await consumer.compile();
  const file = new DatabaseSync(join(consumer.path, "data.sqlite"));
  file.exec("CREATE TABLE greetings AS SELECT 'hello, Grüße' AS text");
  file.close();
  await using pooler = consumer.start("main.ts", ["data.sqlite"]);
  const address = /^ready at (.+)$/.exec(await pooler.line())?.[1] ?? "";
  using client = connect({ address });
  expect(await client.isServing("")).toBe(true);
  const { result } = await client.executeQuery({ query: "SELECT text FROM greetings" });
  expect(result).toMatchObject({ commandTag: "SELECT 1", fields: [{ name: "text" }] });
  expect(result?.rows.map(({ values }) => Buffer.from(values).toString())).toEqual([
    "hello, Grüße",
  ]);
  const reserved = client.executeQuery({ query: "", options: { reservedConnectionId: 1n } });
  await expect(reserved).rejects.toMatchObject({
    code: "UNIMPLEMENTED",
    message: "simple at reserved is not offered",
  });
  expect(await pooler.stop()).toBe(0);
});
