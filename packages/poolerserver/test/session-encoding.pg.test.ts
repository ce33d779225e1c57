import { message, query } from "@multipooler/conversations";
import type { TestPostgres } from "@multipooler/test-postgres";
import { expect, test } from "vitest";
import type { MultiPooler } from "../src/multi-pooler.ts";
import { databaseOf, servingPooler } from "./pooler-fixture.ts";
import { TestClient } from "./session-client.ts";
import { useServer } from "./test-server.ts";

const E_ACUTE = 0xe9;

let postgres: TestPostgres;

useServer(async (started) => {
  postgres = started;
  await postgres.sql("create database latin template template0 encoding 'LATIN1' locale 'C'");
  await postgres.sql("create database bytes template template0 encoding 'SQL_ASCII' locale 'C'");
});

async function connect(
  pooler: MultiPooler,
  database: string,
  settings: Readonly<Record<string, string>> = {},
): Promise<TestClient> {
  const client = new TestClient();
  const caller = {
    user: "",
    database,
    settings: new Map(Object.entries(settings)),
    origin: "a client",
  };
  client.attach(await pooler.getExecutor().openSession(caller, client));
  return client;
}

/** Asks whether the byte that is "é" in LATIN1 reaches the server as that character. */
function latinQuery(): Buffer {
  return message("Q", Buffer.from("select octet_length('é'), ascii('é')\0", "latin1"));
}

test("a client that names no encoding has that of its database", async () => {
  await using pooler = await servingPooler(databaseOf(postgres), { databases: ["*"] });
  const latin = await connect(pooler, "latin");
  expect(latin.session.parameters.get("client_encoding")).toBe("LATIN1");
  expect(await latin.ask(latinQuery())).toContain(`D 1|${E_ACUTE}`);
  expect(await latin.ask(query("discard all"))).toContain("C DISCARD ALL");
  expect(await latin.ask(query("show client_encoding"))).toContain("D LATIN1");

  const bytes = await connect(pooler, "bytes");
  expect(bytes.session.parameters.get("client_encoding")).toBe("SQL_ASCII");
  expect(await bytes.ask(latinQuery())).toContain(`D 1|${E_ACUTE}`);

  const plain = await connect(pooler, "postgres");
  expect(plain.session.parameters.get("client_encoding")).toBe("UTF8");
  await Promise.all([latin, bytes, plain].map((client) => client.session.end("now")));
});

test("a client that names an encoding has that one, and shares the backends", async () => {
  await using pooler = await servingPooler(databaseOf(postgres), {
    databases: ["*"],
    capacity: 3,
  });
  const named = await connect(pooler, "latin", { client_encoding: "UTF8" });
  expect(named.session.parameters.get("client_encoding")).toBe("UTF8");
  const unnamed = await connect(pooler, "latin");
  for (let round = 0; round < 3; round += 1) {
    expect(await named.ask(query("select octet_length('é'), ascii('é')"))).toContain(
      `D 1|${E_ACUTE}`,
    );
    expect(await unnamed.ask(latinQuery())).toContain(`D 1|${E_ACUTE}`);
  }
  await Promise.all([named, unnamed].map((client) => client.session.end("now")));
});
