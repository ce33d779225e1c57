import { bind, execute, flush, parse, query, sync } from "@multipooler/conversations";
import { expect, test } from "vitest";
import type { TestClient } from "./session-client.ts";
import { useSessionStage } from "./session-stage.ts";

const stage = useSessionStage();
const { scene } = stage;

/** Has a group begun on a backend, and goes on with `text`. */
async function behindFlush(client: TestClient, text: string): Promise<readonly string[]> {
  client.send(parse("select 1"), bind(), execute(), flush);
  return await client.ask(query(text));
}

test("PREPARE of a name that the group has parsed is refused, each time", async () => {
  await using pooler = await scene({ capacity: 1 });
  for (let n = 0; n < 3; n += 1) {
    const client = await pooler.connect();
    const answer = await client.ask([parse("select 1", "c"), query("prepare c as select 2")]);
    expect(answer).toEqual(["1", "E 42P05", "Z I"]);
    await client.session.end("now");
  }
});

test("SQL that names a statement works behind what a group has done before", async () => {
  await using pooler = await scene({ capacity: 2 });
  const client = await pooler.connect();
  await client.ask([parse("select 'of a'", "a"), sync]);
  const other = await pooler.connect();
  // Whichever backend has the statement, the next group runs on the other one.
  for (const text of ["begin", "rollback"]) {
    await other.ask(query(text));
  }
  expect(await behindFlush(client, "prepare a as select 2")).toContain("E 42P05");
  expect(await behindFlush(client, "execute a")).toContain("D of a");
  await other.ask(query("begin"));
  expect(await behindFlush(client, "execute a")).toContain("D of a");
  expect(await behindFlush(client, "deallocate a")).toContain("C DEALLOCATE");
  expect(await behindFlush(client, "execute a")).toContain("E 26000");
});
