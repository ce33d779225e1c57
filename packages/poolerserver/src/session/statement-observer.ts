/** A statement of a session, or a group of the extended protocol, that begins. */
export interface ObservedStatement {
  readonly database: string;
  readonly user: string;
  /** The last text in it. */
  readonly text: string;
}

/**
 * Called when a session begins a statement. What it returns is called when the statement has ended, with
 * the SQLSTATE of its error if it had one; `undefined`: nobody wants to know.
 */
export type StatementObserver = (
  statement: ObservedStatement,
) => ((sqlstate: string | undefined) => void) | undefined;

/** A {@link StatementObserver} of one database. */
export type DatabaseObserver = (
  statement: Omit<ObservedStatement, "database">,
) => ReturnType<StatementObserver>;
