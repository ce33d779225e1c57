import { connect } from "@multipooler/grpc-services/client";
import type { PoolerClient } from "@multipooler/grpc-services/client";
import { expect, test } from "vitest";
import { ClientPooler } from "./client-pooler.ts";
import {
  DrainClient,
  Driver,
  readingTransaction,
  singleCall,
  singleQuery,
  writingTransaction,
} from "./drain-clients.ts";

/**
 * `MULTIPOOLER_DRAIN_ROUNDS=50 npm test -- --project @multipooler/e2e drain-load` is the long run, for a
 * machine that does nothing else: it has the grace that the program has by default.
 */
const LONG_ROUNDS = process.env["MULTIPOOLER_DRAIN_ROUNDS"];
const ROUNDS = Number(LONG_ROUNDS ?? 2);
const GRACE_MS = LONG_ROUNDS === undefined ? 20_000 : 3000;
const ROUND_LIMIT_MS = 30_000;
const CLIENTS_OF_A_KIND = 16;
const CHANNELS = 4;
/** How often the test looks at its clients. */
const LOOK_MS = 10;
const TOLERANCE_MS = 500;
/** Of the wire contract. */
const [SERVING, READ_ONLY, DRAINED] = [1, 2, 3] as const;

interface Load {
  readonly clients: readonly DrainClient[];
  sum(counter: "done" | "refused"): number;
}

/** Resolves when every second client has done, or was refused, something more. */
async function progress(
  { clients }: Pick<Load, "clients">,
  counter: "done" | "refused",
): Promise<void> {
  const before = clients.map((client) => client[counter]);
  const moved = (): number =>
    clients.filter((client, index) => client[counter] > (before[index] ?? 0)).length;
  while (moved() <= clients.length / 2) {
    expect(failuresOf({ clients })).toEqual([]);
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
}

function failuresOf({ clients }: Pick<Load, "clients">): unknown[] {
  return clients.flatMap(({ failure }) => (failure === undefined ? [] : [failure]));
}

function startLoad(
  scene: ClientPooler,
  channels: readonly PoolerClient[],
  parts: AsyncDisposableStack,
  isSteady: () => boolean,
): Load {
  const clients: DrainClient[] = [];
  for (let index = 0; index < CLIENTS_OF_A_KIND; index += 1) {
    const channel = channels[index % channels.length];
    if (channel === undefined) {
      throw new Error("there is no channel");
    }
    const driver = (): Driver => parts.adopt(new Driver(() => scene.connect()), (it) => it.end());
    const works = [
      singleCall(channel),
      writingTransaction(channel),
      singleQuery(driver()),
      readingTransaction(driver()),
    ];
    clients.push(...works.map((work) => parts.use(new DrainClient(work, isSteady))));
  }
  return { clients, sum: (counter) => clients.reduce((sum, client) => sum + client[counter], 0) };
}

test(
  "64 clients over both transports lose nothing to drains, and are refused as retryable",
  async () => {
    await using scene = await ClientPooler.start({
      "connpool-drain-grace-period": `${GRACE_MS}ms`,
      "connpool-global-capacity": "40",
    });
    await scene.postgres.sql("create table done (id int generated always as identity)");
    await using parts = new AsyncDisposableStack();
    const address = await scene.pooler.grpc();
    const operator = parts.use(connect({ address }));
    const channels = Array.from({ length: CHANNELS }, () => parts.use(connect({ address })));
    let isSteady = true;
    const load = startLoad(scene, channels, parts, () => isSteady);
    await progress(load, "done");
    for (let round = 0; round < ROUNDS; round += 1) {
      isSteady = false;
      for (const status of [DRAINED, READ_ONLY, SERVING]) {
        await operator.setServingStatus({ status, reason: `round ${round}`, wait: true });
        await progress(load, status === DRAINED ? "refused" : "done");
      }
      isSteady = true;
      await progress(load, "done");
    }
    await Promise.all(load.clients.map((client) => client.stop()));

    expect(failuresOf(load)).toEqual([]);
    // What was committed is there, and nothing else.
    const committed = load.clients
      .filter((_, index) => index % 4 === 1)
      .reduce((sum, client) => sum + client.done, 0);
    expect(await scene.postgres.sql("select count(*)::int as n from done")).toEqual([
      { n: committed },
    ]);
    const { drains, transitions } = await operator.status();
    // Each of the three statuses is left once a round, and DRAINED without a drain.
    expect(drains).toMatchObject({ completed: BigInt(2 * ROUNDS), cut: 0n, aborted: 0n });
    const drainsMs = transitions
      .filter(({ toStatus }) => toStatus === DRAINED)
      .map(({ duration }) => Number(duration?.seconds ?? 0n) * 1000 + (duration?.nanos ?? 0) / 1e6)
      .toSorted((a, b) => a - b);
    const p99 = drainsMs.at(Math.ceil(drainsMs.length * 0.99) - 1) ?? Number.POSITIVE_INFINITY;
    expect(p99).toBeLessThan(GRACE_MS + TOLERANCE_MS);
    if (LONG_ROUNDS !== undefined) {
      const figures = { rounds: ROUNDS, done: load.sum("done"), refused: load.sum("refused") };
      process.stdout.write(`${JSON.stringify({ ...figures, drainP99Ms: Math.round(p99) })}\n`);
    }
  },
  (ROUNDS + 3) * ROUND_LIMIT_MS,
);
