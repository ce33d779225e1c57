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

/**
 * A step. It may be repeated: where it was done already, it does nothing. One that is an `attempt` resolves
 * with why the action must not go on, and has taken back then what can be.
 */
export type RoleStep = RoleStepPlan &
  ({ readonly run: () => Promise<void> } | { readonly attempt: () => Promise<string | undefined> });

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
 * step that failed, which it names; the action is to be repeated then. Rejects with FAILED_PRECONDITION
 * where a step finds that it must not go on.
 */
export async function runSteps(
  action: RoleAction,
  steps: readonly RoleStep[],
  logger: Logger,
): Promise<void> {
  for (const step of steps) {
    const { name } = step;
    logger.info({ action, step: name }, `${action}: ${name}`);
    let refusal: string | undefined;
    try {
      refusal = await perform(step);
    } catch (error) {
      throw stepFault(action, name, error);
    }
    if (refusal !== undefined) {
      const message = `${action} was given up at "${name}": ${refusal}`;
      throw new ManagerError(ManagerErrorCode.FailedPrecondition, message);
    }
  }
}

async function perform(step: RoleStep): Promise<string | undefined> {
  if ("attempt" in step) {
    return await step.attempt();
  }
  await step.run();
  return undefined;
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
