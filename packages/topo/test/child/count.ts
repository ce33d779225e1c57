// Counts up a number in a record with two clients, and prints each number that it has written.
import { argument, connect } from "./child-topology.ts";

const times = argument();

async function count(): Promise<void> {
  const topology = connect();
  for (let done = 0; done < times; done += 1) {
    const { record } = await topology.global.databases.update("counter", (found) => ({
      ...found,
      name: String(Number(found.name) + 1),
    }));
    process.stdout.write(`${record.name}\n`);
  }
  await topology.close();
}

await Promise.all([count(), count()]);
