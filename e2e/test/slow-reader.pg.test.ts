import { connect } from "@multipooler/grpc-services/client";
import { residentBytes, startPooler } from "@multipooler/pooler-process";
import { startPostgres } from "@multipooler/test-postgres";
import { expect, test } from "vitest";
import { flagsFor } from "./flags.ts";

const ROWS = 1_000_000;
const ROW_BYTES = 1000;
const MIB = 1024 * 1024;
/** A tenth of the result: what the sockets and a few blocks need while nothing moves. */
const STALLED_LIMIT_BYTES = 96 * MIB;
/** A fifth of the result: the collector lets some blocks lie about while they rush through. */
const STREAMING_LIMIT_BYTES = 192 * MIB;

test(
  "a reader that stops does not make the pooler hold the result, nor does reading all of it",
  { timeout: 120_000 },
  async () => {
    await using postgres = await startPostgres();
    await using pooler = startPooler({ flags: flagsFor(postgres) });
    await pooler.ready(200, { signal: AbortSignal.timeout(20_000) });
    using client = connect({ address: await pooler.grpc() });
    const sql = `select repeat('x', ${ROW_BYTES}) from generate_series(1, ${ROWS})`;
    const request = { query: sql, options: { passthroughRow: true } };
    const before = residentBytes(pooler.pid);

    let rows = 0;
    let bytes = 0;
    let peak = 0;
    for await (const { result } of client.streamExecute(request)) {
      if (result?.payload?.$case !== "result") {
        continue;
      }
      const { passthroughBlock, passthroughRowCount } = result.payload.value;
      if (rows === 0) {
        await stuck(sql);
      }
      rows += passthroughRowCount;
      bytes += passthroughBlock.length;
      peak = Math.max(peak, residentBytes(pooler.pid) - before);
    }

    /** Resolves when PostgreSQL itself waits for its client: then backpressure has reached it. */
    async function stuck(query: string): Promise<void> {
      const state = async (): Promise<unknown> =>
        (
          await postgres.sql("select wait_event from pg_stat_activity where query = $1", {
            values: [query],
          })
        )[0]?.["wait_event"];
      await expect.poll(state, { timeout: 20_000 }).toBe("ClientWrite");
      expect(residentBytes(pooler.pid) - before).toBeLessThan(STALLED_LIMIT_BYTES);
    }

    expect(rows).toBe(ROWS);
    expect(bytes).toBeGreaterThan(ROWS * ROW_BYTES);
    expect(
      peak,
      `peak growth ${Math.round(peak / MIB)} MiB of ${Math.round(bytes / MIB)} MiB`,
    ).toBeLessThan(STREAMING_LIMIT_BYTES);
  },
);
