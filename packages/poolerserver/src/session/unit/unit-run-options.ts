import type { Clock } from "@multipooler/timing";
import type { TerminateProcess } from "../../execution/terminations.ts";
import type { Logger } from "../../logger.ts";
import type { UnitScheduler } from "../../pool/borrowing.ts";
import type { InterruptibleUnitOptions } from "./interruptible-unit.ts";
import type { OwnState } from "../session-state.ts";
import type { SessionSettings } from "../settings/session-settings.ts";
import type { UnitSource } from "./unit-source.ts";

export interface UnitRunOptions extends OwnState, Pick<InterruptibleUnitOptions, "slow"> {
  readonly source: UnitSource;
  readonly settings: SessionSettings;
  readonly origin: string;
  readonly virtualPid: number | undefined;
  readonly scheduler: UnitScheduler;
  readonly terminate: TerminateProcess;
  readonly clock: Clock;
  readonly logger: Logger;
}
