import type { Sample } from "../figures.ts";
import type { Resources } from "../resources.ts";
import type { Load } from "./load.ts";
import type { RecordedAnswers } from "./recorded-answers.ts";
import type { PostgresPlace } from "./subject.ts";
import { WorkerProcess } from "./worker-process.ts";
import type { Role } from "./worker.ts";

/** What is compared: the process whose expense counts, and the one that its callers are in. */
export interface Contender {
  readonly name: string;
  readonly measured: WorkerProcess;
  readonly callers: WorkerProcess;
}

/** Opens contenders, with the same callers each, on one PostgreSQL. */
export class Contenders {
  readonly #resources: Resources;
  readonly #place: PostgresPlace;
  readonly #callers: number;

  constructor(options: {
    readonly resources: Resources;
    readonly place: PostgresPlace;
    readonly callers: number;
  }) {
    this.#resources = options.resources;
    this.#place = options.place;
    this.#callers = options.callers;
  }

  /** One whose callers are in its own process. */
  async alone(type: "protocol client" | "pg" | "executor" | "session"): Promise<Contender> {
    const worker = await this.#open({ type });
    return { name: type, measured: worker, callers: worker };
  }

  /** The whole pooler, called over gRPC. */
  async grpc(): Promise<Contender> {
    return await this.#served("grpc", await this.#open({ type: "grpc server" }));
  }

  /** A server of grpc-js that knows nothing but these answers. */
  async grpcEcho(answers: RecordedAnswers): Promise<Contender> {
    return await this.#served("grpc echo", await this.#open({ type: "grpc echo server", answers }));
  }

  async #served(name: string, measured: WorkerProcess): Promise<Contender> {
    const { address } = measured;
    return { name, measured, callers: await this.#open({ type: "grpc callers", address }) };
  }

  async #open(role: Role): Promise<WorkerProcess> {
    return await this.#resources.open(() => WorkerProcess.open(role, this.#place, this.#callers));
  }
}

/** What a load costs the measured process, for each piece of work, and how it goes for the callers. */
export async function expenseOf({ measured, callers }: Contender, load: Load): Promise<Sample> {
  await measured.measure("cpu");
  const { elapsedMs, p50Us, p99Us } = await callers.run(load);
  const { cpuUs } = await measured.spent();
  return { cpuUs: cpuUs / load.times, tps: (load.times * 1000) / elapsedMs, p50Us, p99Us };
}
