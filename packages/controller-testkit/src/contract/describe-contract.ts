import { ContractSuite } from "./contract-suite.ts";
import type { ContractRunner } from "./contract-suite.ts";
import type { ControllerFactory } from "./controller-factory.ts";
import { testAdmission } from "./test-admission.ts";
import { testCalls } from "./test-calls.ts";
import { testCopies } from "./test-copies.ts";
import { testHealth } from "./test-health.ts";
import { testLifecycle } from "./test-lifecycle.ts";
import { testNotifications } from "./test-notifications.ts";
import { testReservations } from "./test-reservations.ts";
import { testSessions } from "./test-sessions.ts";
import { testSinks } from "./test-sinks.ts";
import { testTransitions } from "./test-transitions.ts";

export interface ContractOptions extends ContractRunner {
  /** The longest that a step of a controller may take before its test fails. Default: 10 s. */
  readonly patienceMs?: number | undefined;
}

/**
 * Declares the tests that every `PoolerController` passes, each on a controller of its own. They use
 * what managers and transports use, and nothing else. Call it while the runner collects tests.
 *
 * ```ts
 * import { describe, test } from "node:test"; // or from "vitest"
 *
 * describeControllerContract(factory, { describe, test });
 * ```
 */
export function describeControllerContract(
  factory: ControllerFactory,
  { describe, test, patienceMs = 10_000 }: ContractOptions,
): void {
  const suite = new ContractSuite({ factory, runner: { describe, test }, patienceMs });
  suite.describe(`the contract of a controller: ${factory.name}`, () => {
    suite.describe("lifecycle", () => testLifecycle(suite));
    suite.describe("transitions", () => testTransitions(suite));
    suite.describe("admission", () => testAdmission(suite));
    suite.describe("calls", () => testCalls(suite));
    suite.describe("sinks", () => testSinks(suite));
    suite.describe("health", () => testHealth(suite));
    if (suite.offers.reservations) {
      suite.describe("reservations", () => testReservations(suite));
    }
    if (suite.offers.sessions) {
      suite.describe("sessions", () => testSessions(suite));
    }
    if (suite.offers.copy) {
      suite.describe("COPY", () => testCopies(suite));
    }
    if (suite.offers.notifications) {
      suite.describe("notifications", () => testNotifications(suite));
    }
  });
}
