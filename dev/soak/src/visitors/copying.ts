import { pipeline } from "node:stream/promises";
import { Readable, Writable } from "node:stream";
import { from as copyFrom, to as copyTo } from "pg-copy-streams";
import { closeOf } from "../connection.ts";
import type { Visit } from "../visit.ts";

const COPY_IN = "copy ledger from stdin";
const COPY_OUT = "copy (select id, repeat('x', 500) from generate_series(1, 2000) as id) to stdout";
const COPY_OUT_BYTES = 2000 * 500;
const MOST_ROWS = 200;

/** Rows that come and go with COPY. */
export async function copies(visit: Visit): Promise<void> {
  await using connection = await visit.connect();
  for await (const _ of visit.steps()) {
    if (visit.chance.oneIn(2)) {
      const ids = visit.ledger.take(visit.chance.between(1, MOST_ROWS));
      const lines = ids.map((id) => `${id}\t${visit.client}\n`);
      await visit.ledger.commit(ids, () =>
        pipeline(Readable.from(lines), connection.client.query(copyFrom(COPY_IN))),
      );
    } else {
      let bytes = 0;
      const counting = new Writable({
        write: (chunk: Buffer, _encoding, done) => {
          bytes += chunk.length;
          done();
        },
      });
      await pipeline(connection.client.query(copyTo(COPY_OUT)), counting);
      visit.same("enough bytes", bytes > COPY_OUT_BYTES, true);
    }
  }
}

/** A COPY whose client is gone in the middle of it. */
export async function abandonedCopies(visit: Visit): Promise<void> {
  const connection = await visit.connect();
  const stream = connection.client.query(copyFrom(COPY_IN));
  stream.on("error", () => undefined);
  for (const id of visit.ledger.take(5)) {
    stream.write(`${id}\t${visit.client}\n`);
  }
  await visit.pause();
  const closed = closeOf(connection.client.connection.stream);
  connection.vanish();
  await closed;
}
