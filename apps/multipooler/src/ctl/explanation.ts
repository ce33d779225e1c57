import type { RoleStep } from "@multipooler/proto/promotion-v1";
import { tableText } from "@multipooler/text-table";
import type { Command } from "commander";
import { jsonText } from "./output.ts";
import type { Output } from "./output.ts";

/** A command that can be explained. */
export interface ExplainOptions {
  readonly json: boolean;
  /** Whether to check everything, change nothing, and print the steps. */
  readonly explain: boolean;
}

/** Declares the flag. */
export function withExplain(command: Command): Command {
  return command.option(
    "--explain",
    "check everything, change nothing, and print the steps",
    false,
  );
}

/** Something that a command would do. */
export type Step = Pick<RoleStep, "name" | "explanation" | "needed">;

/** Prints what a command would do. */
export async function writeSteps(
  output: Output,
  { json }: Pick<ExplainOptions, "json">,
  steps: readonly Step[],
): Promise<void> {
  await output.write(json ? jsonText({ steps }) : stepsText(steps));
}

/** What would be done, a line a step. */
export function stepsText(steps: readonly Step[]): string {
  if (steps.length === 0) {
    return "There is nothing to do.\n";
  }
  return tableText(
    steps.map(({ name, explanation, needed }, index) => [
      `${index + 1}.`,
      name,
      needed ? explanation : `${explanation} (done already)`,
    ]),
  );
}
