// Takes a lock, says so, and holds it until it is killed.
import { setInterval } from "node:timers/promises";
import { argument, connect } from "./child-topology.ts";

const { global } = connect();
const session = await global.openSession({ ttlMs: argument() });
const lock = await global.lock("path", { session, description: `process ${process.pid}` });
process.stdout.write(`${lock.fencingRevision}\n`);
for await (const _ of setInterval(60_000)) {
  // Holds the lock.
}
