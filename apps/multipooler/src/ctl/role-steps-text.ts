import type { RoleStep } from "@multipooler/proto/promotion-v1";
import { tableText } from "@multipooler/text-table";

/** What would be done, a line a step. */
export function stepsText(steps: readonly RoleStep[]): string {
  return tableText(
    steps.map(({ name, explanation, needed }, index) => [
      `${index + 1}.`,
      name,
      needed ? explanation : `${explanation} (done already)`,
    ]),
  );
}
