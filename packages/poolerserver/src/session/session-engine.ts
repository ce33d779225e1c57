import type { Clock } from "@multipooler/timing";
import type { DoubtReview } from "../classification/classification.ts";
import type { SlowLog } from "../execution/slow-log.ts";
import type { TerminateProcess } from "../execution/termination.ts";
import type { Logger } from "../logger.ts";
import type { UnitScheduler } from "../pool/borrowing.ts";
import type { Label } from "../pool/label.ts";
import type { ServingGate } from "../serving/serving-gate.ts";
import type { StatementCounts } from "../statements/statement-counts.ts";
import type { StatementRegistry } from "../statements/statement-registry.ts";
import type { ChannelSource } from "./notifications/session-channels.ts";
import type { DatabaseObserver } from "./statement-observer.ts";
import type { ParameterViews } from "./settings/parameter-views.ts";
import type { StatementLimits } from "./statements/client-statements.ts";
import type { UnfinishedGroups } from "./input/unfinished-groups.ts";
import type { TextClassifier } from "./input/unit-cutter.ts";
import type { SessionsInDoubt } from "./sessions-in-doubt.ts";
import type { TransactionCommands } from "./transaction/transaction-command.ts";

/** What all sessions of a controller have in common. */
export interface SessionEngine {
  readonly gate: ServingGate;
  readonly scheduler: SessionScheduler;
  readonly registry: StatementRegistry;
  readonly views: ParameterViews;
  readonly terminate: TerminateProcess;
  readonly classifier: SessionClassifier;
  readonly limits: SessionLimits;
  readonly counts: StatementCounts;
  readonly doubts: SessionsInDoubt;
  readonly groups: UnfinishedGroups;
  readonly channels: ChannelSource;
  /** Told of each statement, if there is somebody to tell. */
  readonly observe?: DatabaseObserver | undefined;
  /** Whether a transaction begins on a backend with its first statement. */
  readonly holdsBegin: boolean;
  readonly commands: TransactionCommands;
  /** Told of each statement. */
  readonly slow?: SlowLog | undefined;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** What grants backends, and knows what they report. */
export interface SessionScheduler extends UnitScheduler {
  /** What a backend of the configured role reports that nobody has changed; `undefined`: there is none. */
  readonly parameters: ReadonlyMap<string, string> | undefined;
  /** The same of backends for the user of a label. */
  parametersFor(label: Label | undefined): ReadonlyMap<string, string> | undefined;
}

/** What a session needs to know of texts. */
export interface SessionClassifier extends TextClassifier, DoubtReview {
  /** The catalog may have changed. */
  noteDdl(): void;
  /** The result was larger than a session may hold back: not to share a backend again. */
  noteLargeResult(text: string): void;
}

export interface SessionLimits extends StatementLimits {
  /** What a client may send ahead of the unit that runs; more stops the transport. */
  readonly inputBytes: number;
  /** What may wait for a client that does not read; more ends its session. */
  readonly heldBytes: number;
}
