import type { Visit } from "../visit.ts";

const ROWS = 5000;
const ROW_BYTES = 400;
const LARGE = `select id, repeat('y', ${ROW_BYTES}) from generate_series(1, ${ROWS}) as id`;

/** Results of two megabytes, read at different speeds, and not always to their end. */
export async function largeResults(visit: Visit): Promise<void> {
  await using connection = await visit.connect();
  const { stream } = connection.client.connection;
  for await (const _ of visit.steps()) {
    const result = connection.query(LARGE);
    // It may fail before anybody waits for it.
    result.catch(() => undefined);
    if (visit.chance.oneIn(2)) {
      stream.pause();
      await visit.pause();
      stream.resume();
    }
    if (visit.chance.oneIn(6)) {
      await visit.pause();
      connection.vanish();
      return;
    }
    const { rows } = await result;
    visit.same("rows", rows.length, ROWS);
  }
}
