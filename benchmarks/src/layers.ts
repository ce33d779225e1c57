import { startPostgres } from "@multipooler/test-postgres";
import { readOptions } from "./bench-options.ts";
import { figureLines, figureTable, figuresOf } from "./figures.ts";
import type { Sample } from "./figures.ts";
import { interleavedRounds } from "./interleaved-rounds.ts";
import type { Resources } from "./resources.ts";
import { Contenders, expenseOf } from "./subjects/contender.ts";
import type { Contender } from "./subjects/contender.ts";
import type { Load } from "./subjects/load.ts";
import { recordAnswers } from "./subjects/recorded-answers.ts";
import { TABLE } from "./subjects/work.ts";
import type { CaseName } from "./subjects/work.ts";

/** One line of what is measured. */
interface LayerCase {
  readonly name: CaseName;
  readonly callers: readonly number[];
  /** For CPU and latencies: often enough that a round is more than the noise of the clock. */
  readonly times: number;
  /** For allocated bytes: so seldom that, as a rule, no garbage is collected meanwhile. */
  readonly bytesTimes: number;
  /** Before the first number of callers: so often that V8 has optimised what it runs through. */
  readonly warmUpTimes: number;
  /** Before each further number of callers. */
  readonly furtherWarmUpTimes: number;
}

const SHORT = { times: 4000, bytesTimes: 500, warmUpTimes: 20_000, furtherWarmUpTimes: 4000 };

const CASES: readonly LayerCase[] = [
  { name: "select", callers: [1, 8, 32], ...SHORT },
  { name: "update", callers: [1, 8, 32], ...SHORT },
  {
    name: "rows",
    callers: [1],
    times: 40,
    bytesTimes: 10,
    warmUpTimes: 200,
    furtherWarmUpTimes: 40,
  },
];

const REFERENCE = "protocol client";
const DEFAULT_ROUNDS = 7;
const MAX_CALLERS = Math.max(...CASES.flatMap(({ callers }) => callers));

/** The samples of one case with so many callers. */
interface MeasuredCase {
  readonly layerCase: LayerCase;
  readonly callers: number;
  readonly samples: ReadonlyMap<string, readonly Sample[]>;
}

/**
 * What each layer costs for the same statements on the same PostgreSQL: CPU of its process and
 * bytes that it allocates, a statement, and what its callers see. Rounds are interleaved, and every
 * figure comes with its ratio to our protocol client alone.
 *
 * The client has a connection for each caller, as an application without a pooler would. The others
 * may have as many, and use what they need: a statement that may wait, such as an update, has one for
 * itself, so that they use as many as the client; short reads may share some. All send simple queries.
 * What is measured is code that V8 has optimised.
 */
export async function layersBench(args: readonly string[], resources: Resources): Promise<string> {
  const { rounds, json } = readOptions(args, DEFAULT_ROUNDS);
  const postgres = await resources.open(() =>
    startPostgres({ settings: { max_connections: "200" } }),
  );
  for (const statement of TABLE) {
    await postgres.sql(statement);
  }
  const { host, port, user } = postgres;
  const contenders = await openContenders(
    new Contenders({ resources, place: { host, port, user }, callers: MAX_CALLERS }),
    user,
  );
  const expenses = await measureExpenses(contenders, rounds);
  const bytes = await measureBytes(contenders, rounds);
  const figures = expenses.flatMap(({ layerCase, callers, samples }, index) => {
    const merged = withBytes(samples, bytes[index]?.samples);
    const measured = { case: layerCase.name, concurrency: callers, samples: merged };
    return figuresOf({ bench: "layers", reference: REFERENCE, ...measured });
  });
  return json ? figureLines(figures) : figureTable("what a statement costs", figures, rounds);
}

async function openContenders(open: Contenders, user: string): Promise<readonly Contender[]> {
  const alone: Contender[] = [];
  for (const type of ["protocol client", "executor", "session"] as const) {
    alone.push(await open.alone(type));
  }
  const grpc = await open.grpc();
  const names = CASES.map(({ name }) => name);
  const echo = await open.grpcEcho(await recordAnswers(grpc.measured.address, user, names));
  return [...alone, echo, grpc];
}

/** CPU and latencies of every case. */
async function measureExpenses(
  contenders: readonly Contender[],
  rounds: number,
): Promise<readonly MeasuredCase[]> {
  return await eachCase(async (layerCase, callers, isFirst) => {
    const { name: caseName, times, warmUpTimes, furtherWarmUpTimes } = layerCase;
    for (const contender of contenders) {
      await contender.callers.run({
        caseName,
        callers,
        times: isFirst ? warmUpTimes : furtherWarmUpTimes,
      });
    }
    return await interleavedRounds(contenders, { rounds }, (contender) =>
      expenseOf(contender, { caseName, callers, times }),
    );
  });
}

/**
 * Allocated bytes of every case. They come after all the CPU: the collection before bytes are counted
 * takes the shapes of objects of which none is left, and with them the code that V8 has optimised for
 * these.
 */
async function measureBytes(
  contenders: readonly Contender[],
  rounds: number,
): Promise<readonly MeasuredCase[]> {
  return await eachCase(async ({ name: caseName, bytesTimes: times }, callers) =>
    // The first time allocates what stays.
    interleavedRounds(contenders, { rounds, warmUpRounds: 1 }, (contender) =>
      bytesOf(contender, { caseName, callers, times }),
    ),
  );
}

async function eachCase(
  measure: (
    layerCase: LayerCase,
    callers: number,
    isFirst: boolean,
  ) => Promise<MeasuredCase["samples"]>,
): Promise<readonly MeasuredCase[]> {
  const measured: MeasuredCase[] = [];
  for (const layerCase of CASES) {
    for (const [index, callers] of layerCase.callers.entries()) {
      const samples = await measure(layerCase, callers, index === 0);
      measured.push({ layerCase, callers, samples });
    }
  }
  return measured;
}

function withBytes(
  expenses: MeasuredCase["samples"],
  bytes: MeasuredCase["samples"] | undefined,
): MeasuredCase["samples"] {
  return new Map(
    [...expenses].map(([name, samples]) => [
      name,
      samples.map((sample, round) => ({ ...sample, ...bytes?.get(name)?.[round] })),
    ]),
  );
}

async function bytesOf({ measured, callers }: Contender, load: Load): Promise<Sample> {
  await measured.measure("bytes");
  await callers.run(load);
  const { bytes } = await measured.spent();
  return { bytes: bytes === undefined ? undefined : bytes / load.times };
}
