import {
  bind,
  close,
  execute,
  extended,
  flush,
  message,
  parse,
  query,
  sync,
} from "@multipooler/conversations";
import { expect, test } from "vitest";
import { shuffle, stateOf, use } from "./statement-use.ts";
import { useSessionStage } from "./session-stage.ts";

const { scene } = useSessionStage();

const OF_LATIN = { client_encoding: "LATIN1" };
/** The server finds one character, whatever its bytes are. */
const ASKING = "select length('é'), ascii('é')";
const ANSWER = "D 1|233";

/** A Parse whose text is in LATIN1. */
function latinParse(text: string, name = ""): Buffer {
  return message("P", Buffer.from(`${name}\0${text}\0\0\0`, "latin1"));
}

test("statements and commands in ASCII follow a session whose encoding is another one", async () => {
  await using pooler = await scene({ capacity: 3 });
  const client = await pooler.connect();
  await client.ask([parse("select 1", "a"), sync]);
  await client.ask(query("prepare b as select 2"));
  await client.ask(query("set client_encoding = 'LATIN1'"));
  await client.ask([parse("select 3", "c"), sync]);
  await client.ask(query("prepare d as select 4"));
  await client.ask(query("set work_mem = '70kB'"));
  for (let round = 0; round < 3; round += 1) {
    await shuffle(pooler);
    expect(stateOf(client)).toBe("idle");
    expect(await client.ask(use("a"))).toContain("D 1");
    expect(await client.ask(query("execute b"))).toContain("D 2");
    expect(await client.ask(use("c"))).toContain("D 3");
    expect(await client.ask(extended("execute d"))).toContain("D 4");
    expect(await client.ask(query("show work_mem"))).toContain("D 70kB");
  }
  expect(await client.ask(query("deallocate prepare a"))).toEqual(["C DEALLOCATE", "Z I"]);
  expect(await client.ask(use("a"))).toEqual(["E 26000", "Z I"]);
  expect(await client.ask([close("S", "c"), sync])).toEqual(["3", "Z I"]);
  expect(await client.ask(use("c"))).toEqual(["E 26000", "Z I"]);
  expect(stateOf(client)).toBe("idle");
});

test("a statement in another encoding stays on the backend that got it", async () => {
  await using pooler = await scene({ capacity: 2 });
  const client = await pooler.connect(OF_LATIN);
  expect(await client.ask([latinParse(ASKING, "a"), sync])).toEqual(["1", "Z I"]);
  expect(stateOf(client)).toBe("pinned");
  expect(await client.ask(use("a"))).toContain(ANSWER);
  expect(await client.ask(query("execute a"))).toContain(ANSWER);
  expect(await client.ask(query("execute a; select 2"))).toContain(ANSWER);
  expect(await client.ask([parse("select 1", "a"), sync])).toEqual(["E 42P05", "Z I"]);
  expect(await client.ask(query("prepare a as select 1"))).toEqual(["E 42P05", "Z I"]);
  await client.ask(query("set client_encoding = 'UTF8'"));
  expect(await client.ask(use("a"))).toContain(ANSWER);
  expect(await client.ask(query("deallocate a"))).toEqual(["C DEALLOCATE", "Z I"]);
  expect(await client.ask(use("a"))).toEqual(["E 26000", "Z I"]);
  expect(await client.ask([parse("select 5", "a"), sync])).toEqual(["1", "Z I"]);
  expect(await client.ask(use("a"))).toContain("D 5");
});

test("an unnamed statement in another encoding is there for the next group", async () => {
  await using pooler = await scene({ capacity: 2 });
  const client = await pooler.connect(OF_LATIN);
  const group = [latinParse(ASKING), bind(), execute(), sync];
  expect(await client.ask(group)).toContain(ANSWER);
  expect(stateOf(client)).toBe("idle");
  for (const [letter, code] of [
    ["é", 233],
    ["è", 232],
  ] as const) {
    expect(await client.ask([latinParse(`select ascii('${letter}')`), sync])).toEqual(["1", "Z I"]);
    expect(await client.ask([bind(), execute(), sync])).toContain(`D ${code}`);
  }
});

test("a statement that was prepared in UTF-8 is refused in an encoding that garbles it", async () => {
  await using pooler = await scene({ capacity: 2 });
  const client = await pooler.connect();
  await client.ask([parse(ASKING, "a"), sync]);
  await client.ask(query("set client_encoding = 'LATIN1'"));
  expect(await client.ask(use("a"))).toEqual(["E 0A000", "Z I"]);
  expect(await client.ask(query("execute a"))).toEqual(["E 0A000", "Z I"]);
  expect(await client.ask(query("execute a; select 1"))).toEqual(["E 0A000", "Z I"]);
  await client.ask(query("reset client_encoding"));
  expect(await client.ask(use("a"))).toContain(ANSWER);
});

test("a value that is set in UTF-8 is right in the encoding that is set behind it", async () => {
  await using pooler = await scene({ capacity: 3 });
  const client = await pooler.connect();
  await client.ask(query("set app.x = 'é'; set client_encoding = 'LATIN1'"));
  await shuffle(pooler);
  expect(await client.ask(query("select ascii(current_setting('app.x'))"))).toContain("D 233");
});

test.for(["set local client_encoding = 'LATIN1'", "set client_encoding = 'LATIN1'"])(
  "a transaction that begins with %s prepares in that encoding for itself",
  async (change) => {
    await using pooler = await scene({ capacity: 1 });
    const client = await pooler.connect();
    const other = await pooler.connect();
    await client.ask([parse(ASKING, "u"), sync]);
    await client.ask(query("begin"));
    await client.ask(query(change));
    expect(await client.ask([latinParse(ASKING, "a"), sync])).toEqual(["1", "Z T"]);
    expect(await client.ask(use("a"))).toContain(ANSWER);
    expect(await client.ask(use("u"))).toEqual(["E 0A000", "Z E"]);
    await client.ask(query("rollback"));
    await client.session.end("now");
    expect(await other.ask([parse(ASKING, "a"), use("a")])).toContain(ANSWER);
  },
);

test("what UTF-8 would read otherwise behind SET in a group is for its client alone", async () => {
  await using pooler = await scene({ capacity: 1 });
  const client = await pooler.connect();
  const other = await pooler.connect();
  const garbled = Buffer.from("select length('é')").toString("latin1");
  await client.ask([
    parse("set client_encoding = 'LATIN1'"),
    bind(),
    execute(),
    latinParse(garbled, "a"),
    sync,
  ]);
  expect(await client.ask(use("a"))).toContain("D 2");
  await client.session.end("now");
  expect(await other.ask([parse("select length('é')", "a"), use("a")])).toContain("D 1");
});

const RESET = [parse("reset client_encoding"), bind(), execute()];

test.each([
  { end: "a Sync", messages: [sync], answer: ["Z I"] },
  { end: "a Flush and a Sync", messages: [flush, sync], answer: ["Z I"] },
  { end: "a Query", messages: [query("select 1")], answer: ["T", "D 1", "C SELECT 1", "Z I"] },
  {
    end: "a Flush and a Query",
    messages: [flush, query("select 1")],
    answer: ["T", "D 1", "C SELECT 1", "Z I"],
  },
])("a text behind a RESET to UTF-8 is used, and closed in the group, up to $end", async (group) => {
  await using pooler = await scene({ capacity: 2 });
  const client = await pooler.connect();
  for (const name of ["", "a"]) {
    const binding = bind([], { statement: name });
    await client.ask([...RESET, parse(ASKING, name), binding, sync, sync], 2);
    expect(stateOf(client)).toBe("idle");
    await shuffle(pooler);
    expect(await client.ask([binding, execute(), close("S", name), ...group.messages])).toEqual([
      "2",
      ANSWER,
      "C SELECT 1",
      "3",
      ...group.answer,
    ]);
    expect(await client.ask([binding, sync])).toEqual(["E 26000", "Z I"]);
  }
});

test("a text behind a RESET to another encoding is for the backend that got it", async () => {
  await using pooler = await scene({ capacity: 2 });
  const client = await pooler.connect(OF_LATIN);
  await client.ask(query("set client_encoding = 'UTF8'"));
  await client.ask([...RESET, latinParse(ASKING, "a"), sync]);
  expect(await client.ask(use("a"))).toContain(ANSWER);
  expect(stateOf(client)).toBe("pinned");
});

test("a statement in another encoding cannot take a name of the pooler's own", async () => {
  await using pooler = await scene({ capacity: 1 });
  const client = await pooler.connect(OF_LATIN);
  for (const name of ["ppstmt0", "ppnone"]) {
    expect(await client.ask([latinParse(ASKING, name), sync])).toEqual(["E 42939", "Z I"]);
    expect(await client.ask(use(name))).toEqual(["E 26000", "Z I"]);
  }
  expect(stateOf(client)).toBe("idle");
});
