import type { UnitScheduler } from "../../pool/borrowing.ts";
import type { UnitEngine } from "./interruptible-unit.ts";
import type { OwnState } from "../session-state.ts";
import type { SessionSettings } from "../settings/session-settings.ts";
import type { UnitSource } from "./unit-source.ts";

export interface UnitRunOptions extends OwnState {
  readonly engine: UnitEngine & { readonly scheduler: UnitScheduler };
  readonly source: UnitSource;
  readonly settings: SessionSettings;
  readonly origin: string;
  readonly virtualPid: number | undefined;
}
