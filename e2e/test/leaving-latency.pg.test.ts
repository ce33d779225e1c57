import { connect } from "@multipooler/grpc-services/client";
import type { PoolerClient } from "@multipooler/grpc-services/client";
import { startPooler } from "@multipooler/pooler-process";
import { startPostgres } from "@multipooler/test-postgres";
import { expect, test } from "vitest";
import { flagsFor } from "./flags.ts";
import { streamed } from "./reserving-gateway.ts";

const READY_LIMIT_MS = 20_000;
const ROUNDS = 15;
/** An operator's drain is told within this time; it takes a few milliseconds. */
const LIMIT_MS = 100;
/** Of the operator's request. */
const [SERVE, DRAIN] = [1, 3] as const;
const TRANSACTION = 1;
/** Of the health that gateways watch. */
const SERVING = 0;

/** Follows what a gateway is told. */
class Watched {
  readonly #states: AsyncIterator<{ readonly servingStatus: number }>;

  constructor(gateway: PoolerClient) {
    this.#states = gateway.streamPoolerHealth()[Symbol.asyncIterator]();
  }

  /** Resolves with when it was told, on the clock of `performance`. */
  async until(isServing: boolean): Promise<number> {
    for (;;) {
      const { value, done } = await this.#states.next();
      if (done === true) {
        throw new Error("the stream has ended");
      }
      if ((value.servingStatus === SERVING) === isServing) {
        return performance.now();
      }
    }
  }
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}

test("a gateway and a probe learn at once that a pooler serves no more", async () => {
  await using postgres = await startPostgres();
  await using pooler = startPooler({ flags: flagsFor(postgres) });
  await pooler.ready(200, { signal: AbortSignal.timeout(READY_LIMIT_MS) });
  using operator = connect({ address: await pooler.grpc() });
  using gateway = connect({ address: await pooler.grpc() });
  // It keeps the drains from ending, so that nothing is told only at their end.
  const { state } = await streamed(gateway, {
    query: "select 1",
    reservationOptions: { reasons: TRANSACTION },
  });
  expect(state?.reservationReasons).toBe(TRANSACTION);
  const watched = new Watched(gateway);
  await watched.until(true);
  const toldMs: number[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    const decided = performance.now();
    const drained = operator.setServingStatus({ status: DRAIN, reason: "", wait: false });
    toldMs.push((await watched.until(false)) - decided);
    await drained;
    // The probe's answer is of the same moment: the next one it asks for.
    expect((await fetch(`${await pooler.http()}/ready`)).status).toBe(503);
    await operator.setServingStatus({ status: SERVE, reason: "", wait: true });
    await watched.until(true);
  }
  expect(median(toldMs)).toBeLessThan(LIMIT_MS);
});
