// Uses everything that a topology offers, closes it, says so, and should end for want of work.
import { connect } from "./child-topology.ts";

const topology = connect();
const { global } = topology;
const reader = global.databases.watch()[Symbol.asyncIterator]();
await reader.next();
const unread = reader.next().catch(() => {});
const session = await global.openSession();
const orphan = await global.openSession();
await global.lock("used", { session, description: "this process" });
const waiting = global
  .lock("used", { session: orphan, description: "this process too" })
  .catch(() => {});
await topology.close();
await Promise.all([unread, waiting]);
process.stdout.write("closed\n");
