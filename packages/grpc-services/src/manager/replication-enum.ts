import type { PauseMode, StandbyUpdate, SynchronousReplication } from "@multipooler/manager";
import {
  ReplicationPauseMode,
  StandbyUpdateOperation,
  SynchronousCommitLevel,
  SynchronousMethod,
} from "@multipooler/proto/replication-v1";
import { GrpcServicesError, GrpcServicesErrorCode } from "../errors/error.ts";

/** What the manager's words are on the wire. */
type Numbers<Word extends string, Enum> = Readonly<Record<Word, Enum>>;

export const PAUSE_MODES: Numbers<PauseMode, ReplicationPauseMode> = {
  replay: ReplicationPauseMode.REPLICATION_PAUSE_MODE_REPLAY,
  receiver: ReplicationPauseMode.REPLICATION_PAUSE_MODE_RECEIVER,
  "replay and receiver": ReplicationPauseMode.REPLICATION_PAUSE_MODE_REPLAY_AND_RECEIVER,
};

export const COMMITS: Numbers<SynchronousReplication["commit"], SynchronousCommitLevel> = {
  off: SynchronousCommitLevel.SYNCHRONOUS_COMMIT_LEVEL_OFF,
  local: SynchronousCommitLevel.SYNCHRONOUS_COMMIT_LEVEL_LOCAL,
  remote_write: SynchronousCommitLevel.SYNCHRONOUS_COMMIT_LEVEL_REMOTE_WRITE,
  on: SynchronousCommitLevel.SYNCHRONOUS_COMMIT_LEVEL_ON,
  remote_apply: SynchronousCommitLevel.SYNCHRONOUS_COMMIT_LEVEL_REMOTE_APPLY,
};

export const METHODS: Numbers<SynchronousReplication["method"], SynchronousMethod> = {
  first: SynchronousMethod.SYNCHRONOUS_METHOD_FIRST,
  any: SynchronousMethod.SYNCHRONOUS_METHOD_ANY,
};

export const OPERATIONS: Numbers<StandbyUpdate["operation"], StandbyUpdateOperation> = {
  add: StandbyUpdateOperation.STANDBY_UPDATE_OPERATION_ADD,
  remove: StandbyUpdateOperation.STANDBY_UPDATE_OPERATION_REMOVE,
  replace: StandbyUpdateOperation.STANDBY_UPDATE_OPERATION_REPLACE,
};

/**
 * The word of a number in a request.
 *
 * @param unspecified what is said of 0
 * @throws INVALID_ARGUMENT, naming the field, for 0 and for one that this version does not know
 */
export function wordOf<Word extends string, Enum extends number>(
  numbers: Numbers<Word, Enum>,
  { field, value, unspecified }: { field: string; value: Enum; unspecified?: string },
): Word {
  const words = Object.keys(numbers).filter((word): word is Word => word in numbers);
  const found = words.find((word) => numbers[word] === value);
  if (found !== undefined) {
    return found;
  }
  const known = words.map((word) => `${word} (${numbers[word]})`).join(", ");
  const message = `${field} is ${value}; it must be one of ${known}`;
  throw new GrpcServicesError(
    GrpcServicesErrorCode.InvalidArgument,
    value === 0 && unspecified !== undefined ? unspecified : message,
  );
}
