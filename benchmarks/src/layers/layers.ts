import { startPostgres } from "@multipooler/embedded-postgres";
import { readOptions } from "../bench-options.ts";
import { figureLines, figureTable, figuresOf } from "../figures.ts";
import type { Figure, Sample } from "../figures.ts";
import type { Load } from "./load.ts";
import { CASES, MAX_CALLERS, TABLE } from "./statements.ts";
import type { LayerCase } from "./statements.ts";
import type { PostgresPlace } from "./subject.ts";
import { WorkerProcess } from "./worker-process.ts";

const REFERENCE = "protocol client";
const DEFAULT_ROUNDS = 7;

/** A layer: the process whose expense counts, and the one that its callers are in. */
interface Contender {
  readonly name: string;
  readonly measured: WorkerProcess;
  readonly callers: WorkerProcess;
}

/**
 * What each layer costs for the same statements on the same PostgreSQL: CPU of its process and
 * bytes that it allocates, a statement, and the latencies that its callers see. Rounds are
 * interleaved, and every figure comes with its ratio to our protocol client alone.
 *
 * The client has a connection for each caller, as an application without a pooler would. The others
 * may have as many, and use what they need: a statement that may wait, such as an update, has one for
 * itself, so that they use as many as the client; short reads may share some. All send simple queries.
 * What is measured is code that V8 has optimised.
 */
export async function layersBench(args: readonly string[]): Promise<string> {
  const { rounds, json } = readOptions(args, DEFAULT_ROUNDS);
  await using postgres = await startPostgres({ settings: { max_connections: "200" } });
  for (const statement of TABLE) {
    await postgres.sql(statement);
  }
  await using workers = new AsyncDisposableStack();
  const { host, port, user } = postgres;
  const contenders = await openContenders(workers, { host, port, user });
  const figures: Figure[] = [];
  for (const layerCase of CASES) {
    for (const callers of layerCase.callers) {
      const samples = await measureCase(contenders, layerCase, { callers, rounds });
      const measured = { case: layerCase.name, concurrency: callers, samples };
      figures.push(...figuresOf({ bench: "layers", reference: REFERENCE, ...measured }));
    }
  }
  return json ? figureLines(figures) : figureTable("what a statement costs", figures, rounds);
}

async function openContenders(
  workers: AsyncDisposableStack,
  place: PostgresPlace,
): Promise<readonly Contender[]> {
  const open = async (role: Parameters<typeof WorkerProcess.open>[0]): Promise<WorkerProcess> =>
    workers.use(await WorkerProcess.open(role, place, MAX_CALLERS));
  const contenders: Contender[] = [];
  for (const type of ["protocol client", "executor", "session"] as const) {
    const worker = await open({ type });
    contenders.push({ name: type, measured: worker, callers: worker });
  }
  const echo = await open({ type: "grpc echo server" });
  const echoCallers = await open({ type: "grpc echo callers", address: echo.address });
  contenders.push({ name: "grpc echo", measured: echo, callers: echoCallers });
  const grpc = await open({ type: "grpc server" });
  const grpcCallers = await open({ type: "grpc callers", address: grpc.address });
  contenders.push({ name: "grpc", measured: grpc, callers: grpcCallers });
  return contenders;
}

/**
 * The samples of each contender, round by round. CPU and bytes are measured apart: the collection
 * before bytes are counted takes the shapes of objects of which none is left, and with them the code
 * that V8 has optimised for these.
 */
async function measureCase(
  contenders: readonly Contender[],
  layerCase: LayerCase,
  { callers, rounds }: { readonly callers: number; readonly rounds: number },
): Promise<ReadonlyMap<string, readonly Sample[]>> {
  const { name: caseName, statements, bytesStatements, warmUpStatements } = layerCase;
  for (const contender of contenders) {
    await contender.callers.run({ caseName, callers, statements: warmUpStatements });
  }
  const expenses = await interleave(contenders, rounds, (contender) =>
    expenseOf(contender, { caseName, callers, statements }),
  );
  const bytesLoad = { caseName, callers, statements: bytesStatements };
  // The first time allocates what stays.
  for (const contender of contenders) {
    await bytesOf(contender, bytesLoad);
  }
  const bytes = await interleave(contenders, rounds, (contender) => bytesOf(contender, bytesLoad));
  return new Map(
    contenders.map(({ name }) => [
      name,
      (expenses.get(name) ?? []).map((sample, round) => ({
        ...sample,
        ...bytes.get(name)?.[round],
      })),
    ]),
  );
}

/** Takes a sample of each contender in each round. */
async function interleave(
  contenders: readonly Contender[],
  rounds: number,
  sampleOf: (contender: Contender) => Promise<Sample>,
): Promise<ReadonlyMap<string, readonly Sample[]>> {
  const samples = new Map(contenders.map(({ name }) => [name, [] as Sample[]]));
  for (let round = 0; round < rounds; round += 1) {
    // Each begins as often as the others: what comes first finds colder caches.
    const turn = round % contenders.length;
    for (const contender of [...contenders.slice(turn), ...contenders.slice(0, turn)]) {
      samples.get(contender.name)?.push(await sampleOf(contender));
    }
  }
  return samples;
}

async function expenseOf({ measured, callers }: Contender, load: Load): Promise<Sample> {
  await measured.measure("cpu");
  const { p50Us, p99Us } = await callers.run(load);
  const { cpuUs } = await measured.spent();
  return { cpuUs: cpuUs / load.statements, p50Us, p99Us };
}

async function bytesOf({ measured, callers }: Contender, load: Load): Promise<Sample> {
  await measured.measure("bytes");
  await callers.run(load);
  const { bytes } = await measured.spent();
  return { bytes: bytes === undefined ? undefined : bytes / load.statements };
}
