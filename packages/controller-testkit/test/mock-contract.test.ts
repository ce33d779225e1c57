import { describe, test } from "vitest";
import { describeControllerContract } from "../src/index.ts";
import { mockFactory } from "./mock-factory.ts";

describeControllerContract(mockFactory, { describe, test });
