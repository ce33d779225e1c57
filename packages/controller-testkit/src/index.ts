export { describeControllerContract } from "./contract/describe-contract.ts";
export type { ContractOptions } from "./contract/describe-contract.ts";
export type { ContractRunner } from "./contract/contract-suite.ts";
export type {
  ContractStatements,
  ControllerFactory,
  ControllerOffers,
  ControllerSubject,
  DatabaseOutage,
  SubjectOptions,
} from "./contract/controller-factory.ts";
export { memoryDatabase } from "./memory-database.ts";
export { MockController } from "./mock/mock-controller.ts";
export type { MockControllerOptions } from "./mock/mock-controller.ts";
export { MockControllerError, databaseError } from "./mock/mock-controller-error.ts";
export type { MockErrorDetails } from "./mock/mock-controller-error.ts";
export { ECHO_SCRIPT } from "./mock/mock-script.ts";
export type { MockCall, MockScript, MockStep } from "./mock/mock-script.ts";
export { commandResult, textResult } from "./mock/scripted-result.ts";
