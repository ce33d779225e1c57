import { CarriedState } from "./carried-state.ts";
import type { SessionEngine } from "./session-engine.ts";
import { UnitCutter } from "./input/unit-cutter.ts";
import type { UnitCutterOptions } from "./input/unit-cutter.ts";
import { SessionHold } from "./session-hold.ts";
import { ClientParameters } from "./settings/client-parameters.ts";
import { APPLICATION_NAME } from "./settings/parameter-views.ts";
import type { ParameterView } from "./settings/parameter-views.ts";
import type { DoubtfulSession } from "./sessions-in-doubt.ts";
import type { SessionSettings } from "./settings/session-settings.ts";
import { ClientStatements } from "./statements/client-statements.ts";
import { StatementPlacement } from "./statements/statement-placement.ts";

export interface SessionStateOptions {
  readonly engine: SessionEngine;
  readonly settings: SessionSettings;
  /** What the client is told at its login. */
  readonly parameters: ParameterView;
  /** Tells the client something that is not part of an answer. */
  readonly tell: (message: Uint8Array) => void;
  readonly session: DoubtfulSession;
  /** DISCARD ALL has run. */
  readonly onDiscarded: () => void;
}

/** What a session has besides its conversation. */
export interface OwnState {
  readonly hold: SessionHold;
  readonly statements: ClientStatements;
  readonly placement: StatementPlacement;
  readonly carried: CarriedState;
}

/** Cuts what the client of a session sends into units, with what that session is at the time. */
export function cutterOf(
  { hold, statements }: OwnState,
  { classifier, limits, groups }: SessionEngine,
  own: Pick<UnitCutterOptions, "settings" | "onGroupDue">,
): UnitCutter {
  return new UnitCutter({
    ...own,
    classifier,
    statements,
    hold,
    groups,
    maxGroupBytes: limits.inputBytes,
  });
}

/** The state of a session that begins. */
export function sessionState(options: SessionStateOptions): OwnState {
  const { engine, settings, parameters: initial, tell, onDiscarded, session } = options;
  const { registry, classifier, limits, counts, views, scheduler, doubts } = engine;
  const user = settings.loginUser;
  const hold = new SessionHold((texts) => doubts.note(session, texts));
  const statements = new ClientStatements(limits, counts);
  const placement = new StatementPlacement({ registry, statements, user });
  const parameters = new ClientParameters({
    views,
    initial,
    startup: settings.startup.values,
    poolName: scheduler.parameters?.get(APPLICATION_NAME) ?? "",
    onCompared: (view) => {
      // Such a session has settings that are not among those that are known.
      if (!hold.isStateful) {
        views.note(user, settings.current, view);
      }
    },
  });
  const own = { hold, statements, placement, parameters };
  const carried = new CarriedState({ ...own, registry, classifier, settings, tell, onDiscarded });
  return { hold, statements, placement, carried };
}
