/**
 * What a statement may leave behind in its session: a set of the kinds below, one bit each, so that a
 * backend's taint is the union (`|`) of those of the statements it has run.
 *
 * | kind      | what is left                                      | what takes it away                      |
 * | --------- | ------------------------------------------------- | --------------------------------------- |
 * | settings  | SET, set_config, SET ROLE, SESSION AUTHORIZATION  | the session's settings sent afresh      |
 * | sequences | what currval and lastval tell                     | DISCARD SEQUENCES                       |
 * | seed      | what random() returns next can be foretold        | setseed with a number nobody knows      |
 * | state     | LISTEN, held cursors, prepared statements, …      | what DISCARD ALL does                   |
 * | lasting   | a library, a temporary slot, a backup, …          | nothing: the backend has to be closed   |
 * | locks     | advisory locks of the session, perhaps            | pg_advisory_unlock_all                  |
 * | temporary | temporary tables and other objects, perhaps       | DISCARD TEMP, and what was made of them |
 */
export const Taint = {
  None: 0,
  Settings: 1,
  Sequences: 2,
  Seed: 4,
  State: 8,
  Lasting: 16,
  Locks: 32,
  Temporary: 64,
  /** Whatever can be taken away: for code that cannot be read. */
  Unknown: 111,
} as const;

/** A union of the bits of {@link Taint}. */
export type TaintSet = number;

/**
 * What puts prepared statements in doubt, and is taken away together with them: some may be gone, or
 * mean a temporary table from now on, or one that is gone.
 */
export const WITH_STATEMENTS: TaintSet = Taint.State | Taint.Temporary;
