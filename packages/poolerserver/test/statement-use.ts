import { bind, execute, query, sync } from "@multipooler/conversations";
import type { TestClient } from "./session-client.ts";
import type { SessionScene } from "./session-scene.ts";

/** A group that runs a prepared statement. */
export function use(statement: string, values: readonly string[] = []): Buffer {
  return Buffer.concat([bind(values, { statement }), execute(), sync]);
}

/** Has another backend be the next one that is lent. */
export async function shuffle(pooler: SessionScene): Promise<void> {
  const clients = [await pooler.connect(), await pooler.connect()];
  for (const text of ["begin; select 1", "commit"]) {
    for (const client of clients) {
      await client.ask(query(text));
    }
  }
  for (const client of clients) {
    await client.session.end("now");
  }
}

/** What the client holds now. */
export function stateOf(client: TestClient): string {
  return client.session.describe().type;
}
