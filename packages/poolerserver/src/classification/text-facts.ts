import type { CopyWay } from "@multipooler/pgwire";
import type { TaintSet } from "./taint.ts";

/** What the words of a text tell, without the catalog. Names are in the form of `toSqlText`. */
export interface TextFacts {
  statements: number;
  /** Words and quoted names. */
  readonly names: Set<string>;
  /** Those of them that stand before a parenthesis, other than set_config. */
  readonly calls: Set<string>;
  readonly operators: Set<string>;
  /** What its statements leave, apart from what these names do. */
  taint: TaintSet;
  /** Has a statement that nobody else's may stand beside. */
  isAlone: boolean;
  /** Has a statement that writes. */
  writes: boolean;
  /** Has a statement that may fill columns with their defaults. */
  inserts: boolean;
  locksRows: boolean;
  /** Defines, alters or drops an object, temporary ones included. */
  defines: boolean;
  /** The same with an object that others see. */
  ddl: boolean;
  /** Where the data of a COPY from or to the client go. */
  copy: CopyWay | undefined;
  opensTransaction: boolean;
  endsTransaction: boolean;
  deallocates: boolean;
  /** Names temporary objects as such. */
  makesTemporary: boolean;
  /** Has a quoted name with Unicode escapes, which may be any name. */
  hidesName: boolean;
  /** Runs SQL that it makes itself. */
  isDynamic: boolean;
  /** Makes a table or a view under EXPLAIN, which PostgreSQL does in a read-only transaction, too. */
  writesUnseen: boolean;
  /** Has a DO, whose code counts as part of the text. */
  runsCode: boolean;
  /** Changes, for its transaction, what other texts mean. */
  setsLocally: boolean;
  /** Calls set_config. */
  setsConfig: boolean;
}

/** The facts of an empty text. */
export function noFacts(): TextFacts {
  return {
    statements: 0,
    names: new Set(),
    calls: new Set(),
    operators: new Set(),
    taint: 0,
    isAlone: false,
    writes: false,
    inserts: false,
    locksRows: false,
    defines: false,
    ddl: false,
    copy: undefined,
    opensTransaction: false,
    endsTransaction: false,
    deallocates: false,
    makesTemporary: false,
    hidesName: false,
    isDynamic: false,
    writesUnseen: false,
    runsCode: false,
    setsLocally: false,
    setsConfig: false,
  };
}

/** Whether a text of this kind with other constants in it has the same facts. */
export function isIndifferentToConstants(facts: TextFacts): boolean {
  return (
    facts.statements === 1 &&
    !facts.isAlone &&
    !facts.setsConfig &&
    !facts.isDynamic &&
    !facts.hidesName
  );
}
