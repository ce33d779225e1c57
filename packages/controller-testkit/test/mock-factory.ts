import { PoolerErrorCode } from "@multipooler/query-service";
import { MockController, databaseError, memoryDatabase, textResult } from "../src/index.ts";
import type { ControllerFactory, ControllerSubject } from "../src/index.ts";

const BLOCKED = "select from a_table_that_is_locked";
const FAILING = "select from nowhere";

/** Counts the statements that block. */
class BlockedStatements {
  #count = 0;
  #sign = Promise.withResolvers<void>();

  add(): void {
    this.#count += 1;
    this.#sign.resolve();
    this.#sign = Promise.withResolvers();
  }

  async until(count: number): Promise<void> {
    while (this.#count < count) {
      await this.#sign.promise;
    }
  }
}

/** Mocks whose script knows the statements of the contract. */
export const mockFactory: ControllerFactory = {
  name: "MockController",
  offers: {
    reservations: true,
    sessions: false,
    describe: true,
    credentials: true,
    copy: false,
    notifications: false,
  },
  statements: { read: "select 1", write: "insert into t", failing: FAILING, blocked: BLOCKED },
  hasOutages: true,
  served: { tableGroup: "default", shard: "0-inf" },
  create: async ({ drainGraceMs }): Promise<ControllerSubject> => {
    const unblocked = Promise.withResolvers<void>();
    const blocked = new BlockedStatements();
    let isAway = false;
    const controller = new MockController({
      drainGraceMs,
      shard: { tableGroup: "default", shard: "0-inf" },
      script: {
        before: (step) => {
          if (isAway && step === "open") {
            throw databaseError("57P03", "the database is away");
          }
        },
        answer: async ({ statement: { sql } }) => {
          if (isAway || sql === FAILING) {
            throw databaseError("42P01", "it is not there");
          }
          if (sql === BLOCKED) {
            blocked.add();
            await unblocked.promise;
          }
          return textResult(["n"], [["1"]]);
        },
      },
    });
    return {
      controller,
      database: memoryDatabase(),
      untilBlocked: (count) => blocked.until(count),
      unblock: async () => unblocked.resolve(),
      outage: {
        begin: async () => {
          isAway = true;
          controller.script({ fault: PoolerErrorCode.PreExecutionUnavailable });
        },
        end: async () => {
          isAway = false;
          controller.script({ fault: undefined });
        },
      },
      [Symbol.asyncDispose]: async () => unblocked.resolve(),
    };
  },
};
