import {
  bind,
  close,
  describe,
  execute,
  flush,
  message,
  parse,
  query,
  sync,
} from "@multipooler/conversations";
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
  for (const text of ["begin; select 1", "rollback"]) {
    await other.ask(query(text));
  }
  expect(await behindFlush(client, "prepare a as select 2")).toContain("E 42P05");
  expect(await behindFlush(client, "execute a")).toContain("D of a");
  await other.ask(query("begin; select 1"));
  expect(await behindFlush(client, "execute a")).toContain("D of a");
  expect(await behindFlush(client, "deallocate a")).toContain("C DEALLOCATE");
  expect(await behindFlush(client, "execute a")).toContain("E 26000");
});

test("a Query drops the unnamed statement, unless an error of its group has it skipped", async () => {
  await using pooler = await scene({ capacity: 1 });
  const client = await pooler.connect();
  const unnamed = [bind(), execute(), sync];
  const skipped = [parse("select 'kept'"), describe("S", "none"), query("select 1"), sync];
  expect(await client.ask(skipped)).toEqual(["1", "E 26000", "Z I"]);
  expect(await client.ask(unnamed)).toEqual(["2", "D kept", "C SELECT 1", "Z I"]);
  for (const text of ["select 1", "select 1 / 0", "selec"]) {
    await client.ask([parse("select 'dropped'"), sync]);
    await client.ask([parse("select 2", "named"), query(text)]);
    await client.ask([close("S", "named"), sync]);
    expect(await client.ask(unnamed)).toEqual(["E 26000", "Z I"]);
  }
});

test("SQL of a group runs what SQL of the same group has prepared", async () => {
  await using pooler = await scene({ capacity: 1 });
  for (const end of [sync, flush]) {
    const client = await pooler.connect();
    const group = ["prepare a as select 'of a'", "execute a", "execute a"].flatMap((text) => [
      parse(text),
      bind(),
      execute(),
    ]);
    const answer = await client.ask([...group, bind([], { statement: "a" }), execute(), end, sync]);
    expect(answer.filter((said) => said.startsWith("D"))).toHaveLength(3);
    expect(answer).not.toContainEqual(expect.stringMatching(/^E/u));
    await client.session.end("now");
  }
});

test.each(["discard all", "deallocate all"])(
  "an unnamed statement outlives the %s that it is, and so does another one behind it",
  async (text) => {
    await using pooler = await scene({ capacity: 2 });
    const client = await pooler.connect();
    const group = [parse(text), bind(), execute(), bind(), parse("select 'left'"), sync];
    const tag = `C ${text.toUpperCase()}`;
    expect(await client.ask(group)).toEqual(["1", "2", tag, "2", "1", "Z I"]);
    expect(await client.ask([bind(), execute(), sync])).toContain("D left");
  },
);

test.each(["select 1", "select 1\0more\0"])(
  "a Query that is damaged does not drop the unnamed statement: %j",
  async (body) => {
    await using pooler = await scene({ capacity: 1 });
    const client = await pooler.connect();
    await client.ask([parse("select 'kept'"), sync]);
    expect(await client.ask(message("Q", body))).toEqual(["E 08P01", "Z I"]);
    expect(await client.ask([bind(), execute(), sync])).toContain("D kept");
  },
);

test("a transaction gets its isolation level behind the Describe of a statement", async () => {
  await using pooler = await scene({ capacity: 2 });
  const [client, other] = [await pooler.connect(), await pooler.connect()];
  const level = "start transaction isolation level serializable";
  await client.ask([parse("select $1::int", "a"), sync]);
  for (let round = 0; round < 3; round += 1) {
    // A backend that has not parsed it.
    await client.ask([close("S", "a"), parse(`select $1::int + ${round}`, "a"), sync]);
    await other.ask(query("begin; select 1"));
    const group = [describe("S", "a"), parse(level), bind(), execute(), sync];
    expect(await client.ask(group)).toEqual(["t", "T", "1", "2", "C START TRANSACTION", "Z T"]);
    await client.ask(query("commit"));
    await other.ask(query("commit"));
  }
});
