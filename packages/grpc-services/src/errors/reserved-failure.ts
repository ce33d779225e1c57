import type { ReservedState } from "@multipooler/proto/query";

/** A failure whose status also says what stays reserved. */
export class ReservedFailure extends Error {
  override readonly name = "ReservedFailure";
  readonly state: ReservedState;

  /** @param cause what the status is made of */
  constructor(cause: unknown, state: ReservedState) {
    super("the call failed, and a connection stays reserved", { cause });
    this.state = state;
  }
}
