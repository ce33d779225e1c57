/** What was done with named prepared statements. */
export interface StatementFigures {
  /** Statements that clients have prepared. */
  readonly clientParses: number;
  /** How often the pooler has prepared one of them on a connection. */
  readonly serverParses: number;
  /** Portals that clients have made of them. */
  readonly binds: number;
}

/** Counts what sessions of one database do with named prepared statements of the protocol. */
export class StatementCounts implements StatementFigures {
  clientParses = 0;
  serverParses = 0;
  binds = 0;

  /** As of now. */
  figures(): StatementFigures {
    const { clientParses, serverParses, binds } = this;
    return { clientParses, serverParses, binds };
  }
}
