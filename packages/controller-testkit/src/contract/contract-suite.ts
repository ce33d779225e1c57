import type { ServingTarget } from "@multipooler/controller-api";
import { ContractScene } from "./contract-scene.ts";
import type {
  ContractStatements,
  ControllerFactory,
  ControllerOffers,
} from "./controller-factory.ts";

/** A grace that no test reaches. */
const LONG_GRACE_MS = 600_000;

/** The two functions of a test runner that the suite needs, such as vitest's or those of `node:test`. */
export interface ContractRunner {
  readonly describe: (name: string, body: () => void) => unknown;
  readonly test: (name: string, body: () => Promise<void>) => unknown;
}

/** How far a controller is when a test begins. */
export type Beginning = "built" | "open" | ServingTarget;

export interface ContractTestOptions {
  /** Default: open and not serving. */
  readonly from?: Beginning;
  /** Default: more than any test takes. */
  readonly drainGraceMs?: number;
}

/** Declares tests, each on a controller of its own. */
export class ContractSuite {
  readonly #factory: ControllerFactory;
  readonly #runner: ContractRunner;
  readonly #patienceMs: number;

  constructor(options: {
    readonly factory: ControllerFactory;
    readonly runner: ContractRunner;
    readonly patienceMs: number;
  }) {
    this.#factory = options.factory;
    this.#runner = options.runner;
    this.#patienceMs = options.patienceMs;
  }

  get offers(): ControllerOffers {
    return this.#factory.offers;
  }

  get statements(): ContractStatements {
    return this.#factory.statements;
  }

  get hasOutages(): boolean {
    return this.#factory.hasOutages === true;
  }

  get served(): ControllerFactory["served"] {
    return this.#factory.served;
  }

  describe(name: string, body: () => void): void {
    this.#runner.describe(name, body);
  }

  test(
    name: string,
    body: (scene: ContractScene) => Promise<void>,
    { from = "open", drainGraceMs = LONG_GRACE_MS }: ContractTestOptions = {},
  ): void {
    this.#runner.test(name, async () => {
      const subject = await this.#factory.create({ drainGraceMs });
      await using scene = new ContractScene({ subject, patienceMs: this.#patienceMs });
      if (from !== "built") {
        await scene.open();
      }
      if (typeof from === "object") {
        await scene.become(from);
      }
      await body(scene);
    });
  }
}
