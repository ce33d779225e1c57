import { fork } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { Course, Load } from "./load.ts";
import type { Measured, Spent } from "./measurement.ts";
import type { PostgresPlace } from "./subject.ts";
import type { Answer, Order, Role } from "./worker.ts";

/** So large that nothing is collected while allocated bytes are counted, but is while CPU is measured. */
const YOUNG_MIB = 32;
/**
 * So large that callers collect nothing within a round, which takes some 45 KB a call. Their pauses, of
 * 10 ms and more every 500 calls, would otherwise be what the latencies show.
 */
const YOUNG_MIB_OF_CALLERS = 256;

/** One process of the bench, driven over its IPC channel. */
export class WorkerProcess implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #exited = Promise.withResolvers<never>();
  #address: string | undefined;
  #isBusy = false;

  static async open(role: Role, place: PostgresPlace, callers: number): Promise<WorkerProcess> {
    const worker = new WorkerProcess(role);
    try {
      const opened = await worker.#ask({ type: "open", role, place, callers }, "opened");
      worker.#address = opened.address;
    } catch (error) {
      worker.#child.kill();
      throw error;
    }
    return worker;
  }

  private constructor({ type }: Role) {
    const youngMib = type === "grpc callers" ? YOUNG_MIB_OF_CALLERS : YOUNG_MIB;
    const execArgv = [
      "--expose-gc",
      `--max-semi-space-size=${youngMib}`,
      `--min-semi-space-size=${youngMib}`,
    ];
    const path = fileURLToPath(new URL("worker.js", import.meta.url));
    this.#child = fork(path, [], { execArgv, serialization: "advanced" });
    // Nobody waits for an answer while nothing was asked.
    this.#exited.promise.catch(() => undefined);
    this.#child.once("exit", (code) => {
      this.#exited.reject(new Error(`a process of the bench ended with code ${code}`));
    });
  }

  /** Where the server of this process listens. */
  get address(): string {
    if (this.#address === undefined) {
      throw new TypeError("this worker is no server");
    }
    return this.#address;
  }

  async run(load: Load): Promise<Course> {
    return (await this.#ask({ type: "run", load }, "ran")).course;
  }

  /** Begins to count what the process spends; `spent` tells. */
  async measure(what: Measured): Promise<void> {
    await this.#ask({ type: "measure", what }, "measuring");
  }

  async spent(): Promise<Spent> {
    return (await this.#ask({ type: "spent" }, "spent")).spent;
  }

  /** Resolves when the process has ended. One that is busy, as in a bench that is interrupted, is killed. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#isBusy) {
      this.#child.kill("SIGKILL");
    } else if (this.#child.connected) {
      await this.#ask({ type: "close" }, "closed").catch(() => this.#child.kill("SIGKILL"));
    }
    await this.#exited.promise.catch(() => undefined);
  }

  async #ask<Type extends Answer["type"]>(
    order: Order,
    type: Type,
  ): Promise<Extract<Answer, { type: Type }>> {
    const { promise, resolve, reject } = Promise.withResolvers<Extract<Answer, { type: Type }>>();
    this.#child.once("message", (answer: Answer) => {
      if (isOf(answer, type)) {
        resolve(answer);
      } else {
        reject(new TypeError(`a process of the bench answered ${answer.type}`));
      }
    });
    this.#isBusy = true;
    this.#child.send(order);
    const result = await Promise.race([promise, this.#exited.promise]);
    this.#isBusy = false;
    return result;
  }
}

function isOf<Type extends Answer["type"]>(
  answer: Answer,
  type: Type,
): answer is Extract<Answer, { type: Type }> {
  return answer.type === type;
}
