/** Runs the contract on the mock under Node's own test runner. */
// oxlint-disable-next-line vitest/no-import-node-test -- It is what is to be shown.
import { describe, test } from "node:test";
import { describeControllerContract } from "../../src/index.ts";
import { mockFactory } from "../mock-factory.ts";

describeControllerContract(mockFactory, { describe, test });
