/** What one request was answered with. */
export interface StepAnswer {
  /** The first value of the first row. */
  readonly value?: string | undefined;
  /** The SQLSTATE of the error, or another word for it. */
  readonly error?: string | undefined;
}

/**
 * One client of the pooler in a test for leaks. Its number makes the traces that it leaves its own.
 * Errors of PostgreSQL are answers; everything else is thrown.
 */
export interface LeakClient extends AsyncDisposable {
  readonly number: number;
  readonly isSuperuser: boolean;
  /** Whether it leaves nothing behind its transactions, so that no backend is kept for it. */
  readonly isTidy: boolean;
  /** Whether its later statements may see what its earlier ones have left. */
  readonly keepsState: boolean;
  /** Whether its settings name it in `leak.mark` at the beginning of each statement. */
  readonly isLabelled: boolean;
  run(sql: string): Promise<StepAnswer>;
  /** Runs a statement with one parameter, prepared. */
  prepared(sql: string, value: string): Promise<StepAnswer>;
  /** Begins a transaction with a first statement. */
  begin(sql: string): Promise<StepAnswer>;
  conclude(conclusion: "commit" | "rollback"): Promise<StepAnswer>;
  /** Goes away as it is, and comes back as a new client. */
  leave(how: "politely" | "silently"): Promise<void>;
  /** Runs a text that begins a transaction and does not end it, and goes away if that stays open. */
  leaveOpen(sql: string): Promise<void>;
}
