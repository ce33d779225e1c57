import { messageOf } from "../error-message.ts";
import type { Logger } from "../logger.ts";
import { ManagerError, ManagerErrorCode } from "../manager-error.ts";
import type { RoleAction } from "./action-journal.ts";

/** What a change of role does, and what is left of it to do. */
export interface RoleStepPlan {
  /** Two or three words, the same in every release. */
  readonly name: string;
  /** What it does, one clause for people. */
  readonly explanation: string;
  /** Whether there is something to do, as far as that can be told before the first step. */
  readonly isNeeded: boolean;
}

/** A step. It may be repeated: where it was done already, it does nothing. */
export interface RoleStep extends RoleStepPlan {
  readonly run: () => Promise<void>;
}

/** The last step: what was begun is over, so that the role decides again what is served. */
export function servingStep(finish: () => Promise<void>): RoleStep {
  return {
    name: "serve",
    explanation: "note that the change is complete, and admit what the new role serves",
    isNeeded: true,
    run: finish,
  };
}

/**
 * Runs the steps in their order, each whether it looks needed or not. Rejects with the error of the
 * step that failed, which it names; the action is to be repeated then.
 */
export async function runSteps(
  action: RoleAction,
  steps: readonly RoleStep[],
  logger: Logger,
): Promise<void> {
  for (const { name, run } of steps) {
    logger.info({ action, step: name }, `${action}: ${name}`);
    try {
      await run();
    } catch (error) {
      throw stepFault(action, name, error);
    }
  }
}

/** The steps without what they run. */
export function planOf(steps: readonly RoleStep[]): readonly RoleStepPlan[] {
  return steps.map(({ name, explanation, isNeeded }) => ({ name, explanation, isNeeded }));
}

function stepFault(action: RoleAction, step: string, cause: unknown): ManagerError {
  const known = cause instanceof ManagerError ? cause : undefined;
  return new ManagerError(
    known?.code ?? ManagerErrorCode.Internal,
    `${action} failed at "${step}" and is to be repeated: ${messageOf(cause)}`,
    { cause, sqlState: known?.sqlState },
  );
}
