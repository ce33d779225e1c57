import { startPostgres } from "@multipooler/test-postgres";
import { readOptions } from "./bench-options.ts";
import { figureLines, figureTable, figuresOf } from "./figures.ts";
import type { Figure, Sample } from "./figures.ts";
import { interleavedRounds } from "./interleaved-rounds.ts";
import type { Resources } from "./resources.ts";
import { Contenders, expenseOf } from "./subjects/contender.ts";
import type { Contender } from "./subjects/contender.ts";
import { recordAnswers } from "./subjects/recorded-answers.ts";
import type { RecordedAnswers } from "./subjects/recorded-answers.ts";
import { MAX_CALLERS, TABLE } from "./subjects/work.ts";
import type { CaseName } from "./subjects/work.ts";

/** One line of what is measured. */
interface QueryCase {
  readonly name: CaseName;
  readonly callers: number;
  /** In a round. */
  readonly times: number;
  /** Before the rounds: so often that V8 has optimised what it runs through. */
  readonly warmUpTimes: number;
  /** Rows that are bulk are counted in bytes as well. */
  readonly isBulk: boolean;
}

const CASES: readonly QueryCase[] = [
  { name: "prepared", callers: 1, times: 2000, warmUpTimes: 20_000, isBulk: false },
  { name: "prepared", callers: 16, times: 4000, warmUpTimes: 8000, isBulk: false },
  { name: "prepared", callers: 64, times: 4000, warmUpTimes: 4000, isBulk: false },
  { name: "transaction", callers: 1, times: 300, warmUpTimes: 3000, isBulk: false },
  { name: "transaction", callers: 16, times: 800, warmUpTimes: 1000, isBulk: false },
  { name: "rows", callers: 1, times: 40, warmUpTimes: 200, isBulk: true },
  { name: "wide", callers: 1, times: 10, warmUpTimes: 40, isBulk: true },
];

const DEFAULT_ROUNDS = 7;
const MEBIBYTE = 1_048_576;
/** What each caller of each contender takes, and some to spare. */
const MAX_CONNECTIONS = 5 * MAX_CALLERS;

type Samples = ReadonlyMap<string, readonly Sample[]>;

/** Which figures are compared with which subject. */
interface Aspect {
  readonly title: string;
  readonly reference: string;
  readonly subjects: readonly string[];
  readonly metrics: readonly string[];
}

const SEEN_BY_CALLERS = ["tps", "p50Us", "p99Us", "mibps"];

const ASPECTS: readonly Aspect[] = [
  {
    title: "a call over gRPC, beside an echo of the same messages",
    reference: "grpc echo",
    subjects: ["grpc echo", "grpc"],
    metrics: ["cpuUs", "transportUs", "executorUs", ...SEEN_BY_CALLERS],
  },
  {
    title: "a call over gRPC, beside pg without a pooler",
    reference: "pg",
    subjects: ["pg", "grpc"],
    metrics: SEEN_BY_CALLERS,
  },
  {
    title: "the executor without gRPC, beside our protocol client",
    reference: "protocol client",
    subjects: ["protocol client", "executor"],
    metrics: ["cpuUs", ...SEEN_BY_CALLERS],
  },
];

/**
 * What a gateway's calls cost: a prepared statement by 1, 16 and 64 callers, a transaction of four
 * statements on a reserved connection, 10,000 rows, and 100 rows of 100 KiB. Beside them, in the same
 * interleaved rounds, `pg` on PostgreSQL itself, and a bare server of grpc-js that answers the same
 * requests with the same messages.
 *
 * `cpuUs` is what the process of the pooler spends on a statement, or on a transaction with its five
 * calls. `executorUs` of that is what the same work costs the executor when it is called in a process
 * without gRPC, in the same round; `transportUs` is the rest: gRPC, and what decodes requests and
 * encodes answers. Callers are in processes of their own, all on one connection, as a gateway is. These
 * collect no garbage while they measure, so that latencies show the pauses of the pooler alone.
 */
export async function queryBench(args: readonly string[], resources: Resources): Promise<string> {
  const { rounds, json } = readOptions(args, DEFAULT_ROUNDS);
  const postgres = await resources.open(() =>
    startPostgres({ settings: { max_connections: String(MAX_CONNECTIONS) } }),
  );
  for (const statement of TABLE) {
    await postgres.sql(statement);
  }
  const { host, port, user } = postgres;
  const open = new Contenders({ resources, place: { host, port, user }, callers: MAX_CALLERS });
  const grpc = await open.grpc();
  const { address } = grpc.measured;
  const bytesOf = new Map<CaseName, number>();
  const answers = new Map<string, readonly Buffer[]>();
  for (const name of new Set(CASES.map((one) => one.name))) {
    const recorded = await recordAnswers(address, user, [name]);
    bytesOf.set(name, sizeOf(recorded));
    recorded.forEach((messages, key) => answers.set(key, messages));
  }
  const contenders = [
    await open.alone("protocol client"),
    await open.alone("executor"),
    await open.alone("pg"),
    await open.grpcEcho(answers),
    grpc,
  ];
  const figures = new Map(ASPECTS.map((aspect) => [aspect, [] as Figure[]]));
  for (const queryCase of CASES) {
    const bytes = queryCase.isBulk ? bytesOf.get(queryCase.name) : undefined;
    const samples = await measureCase(contenders, queryCase, { rounds, bytes });
    for (const [aspect, all] of figures) {
      all.push(...figuresOfAspect(aspect, queryCase, samples));
    }
  }
  return [...figures]
    .map(([{ title }, all]) => (json ? figureLines(all) : figureTable(title, all, rounds)))
    .join(json ? "" : "\n");
}

function sizeOf(answers: RecordedAnswers): number {
  let bytes = 0;
  for (const messages of answers.values()) {
    bytes += messages.reduce((sum, message) => sum + message.byteLength, 0);
  }
  return bytes;
}

/** The samples of each contender, round by round. @param bytes of the answer, if they are counted */
async function measureCase(
  contenders: readonly Contender[],
  { name: caseName, callers, times, warmUpTimes }: QueryCase,
  { rounds, bytes }: { readonly rounds: number; readonly bytes: number | undefined },
): Promise<Samples> {
  for (const contender of contenders) {
    await contender.callers.run({ caseName, callers, times: warmUpTimes });
  }
  const samples = await interleavedRounds(contenders, { rounds }, async (contender) => {
    const sample = await expenseOf(contender, { caseName, callers, times });
    const { tps } = sample;
    return bytes === undefined || tps === undefined
      ? sample
      : { ...sample, mibps: (tps * bytes) / MEBIBYTE };
  });
  return withShares(samples);
}

/** Splits the CPU of the pooler, round by round; that of the echo is all of the transport. */
function withShares(samples: Samples): Samples {
  const executor = samples.get("executor") ?? [];
  const split = (samples.get("grpc") ?? []).map((sample, round) => {
    const [whole, executorUs] = [sample["cpuUs"], executor[round]?.["cpuUs"]];
    return whole === undefined || executorUs === undefined
      ? sample
      : { ...sample, executorUs, transportUs: whole - executorUs };
  });
  const echo = (samples.get("grpc echo") ?? []).map((sample) => ({
    ...sample,
    transportUs: sample["cpuUs"],
  }));
  return new Map([...samples, ["grpc", split], ["grpc echo", echo]]);
}

function figuresOfAspect(
  { reference, subjects, metrics }: Aspect,
  { name, callers }: QueryCase,
  samples: Samples,
): Figure[] {
  const chosen = subjects.map((subject) => {
    const rounds = (samples.get(subject) ?? []).map((sample) =>
      Object.fromEntries(Object.entries(sample).filter(([metric]) => metrics.includes(metric))),
    );
    return [subject, rounds] as const;
  });
  const measured = { case: name, concurrency: callers, samples: new Map(chosen) };
  return figuresOf({ bench: "query", reference, ...measured });
}
