import { ManagerError, ManagerErrorCode } from "../manager-error.ts";

const MAX_REASON_BYTES = 1000;

/** Throws INVALID_ARGUMENT for a reason to force something that the log cannot hold in one line. */
export function checkForce(force: string | undefined): void {
  if (force === undefined) {
    return;
  }
  if (force.trim() === "" || Buffer.byteLength(force) > MAX_REASON_BYTES || /\p{Cc}/u.test(force)) {
    throw new ManagerError(
      ManagerErrorCode.InvalidArgument,
      `force must be a reason, one line of 1 to ${MAX_REASON_BYTES} bytes`,
    );
  }
}
