import { expect, test } from "vitest";
import { connect } from "../src/client/index.ts";
import { startServer } from "./test-server.ts";

test("requests of one client have one origin; connections and principals are told apart", async () => {
  await using pooler = await startServer();
  const origins: string[] = [];
  pooler.manager.execute = async ({ caller }) => {
    origins.push(caller.origin);
  };
  using other = connect({ address: pooler.address });
  await pooler.client.executeQuery({});
  await Array.fromAsync(pooler.client.streamExecute({}));
  await other.executeQuery({});
  await other.executeQuery({ callerId: { principal: "app" } });
  const [first, second, third, fourth] = origins;
  expect(first).toMatch(/^127\.0\.0\.1:\d+ $/);
  expect(second).toBe(first);
  expect(third).toMatch(/^127\.0\.0\.1:\d+ $/);
  expect(third).not.toBe(first);
  expect(fourth).toBe(`${third}app`);
});
