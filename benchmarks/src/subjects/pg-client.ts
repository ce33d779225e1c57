import pg from "pg";
import { runLoad } from "./load.ts";
import { Works } from "./work.ts";
import type { Work } from "./work.ts";
import type { PostgresPlace, Subject } from "./subject.ts";

/** What an application without a pooler has: `pg`, a connection a caller. Rows become arrays. */
export async function openPgClients(
  { host, port, user }: PostgresPlace,
  callers: number,
): Promise<Subject> {
  const clients = Array.from(
    { length: callers },
    () => new pg.Client({ host, port, user, database: "postgres" }),
  );
  await Promise.all(clients.map((client) => client.connect()));
  const works = new Works((work) => work);
  const all = clients.map((client) => (work: Work) => doWork(client, work));
  return {
    run: (load) => runLoad(load, works, all),
    close: async () => {
      await Promise.all(clients.map((client) => client.end()));
    },
  };
}

async function doWork(client: pg.Client, work: Work): Promise<void> {
  switch (work.type) {
    case "simple":
      await client.query({ text: work.sql, rowMode: "array" });
      break;
    case "prepared":
      await client.query({
        name: "s1",
        text: work.sql,
        values: [work.parameter],
        rowMode: "array",
      });
      break;
    case "transaction":
      await client.query("begin");
      for (const text of work.statements) {
        await client.query({ text, rowMode: "array" });
      }
      await client.query("commit");
      break;
  }
}
